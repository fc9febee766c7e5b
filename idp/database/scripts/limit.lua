-- Count one call. Begins with window.lua.
--
-- KEYS[1] what is counted   ARGV: 1 limit  2 window, ms  3 buckets in a window  4 size, bytes  5 budget, bytes, 0 for none
-- Answers {allowed, remaining, ms until one call fits again, ms until nothing is counted, the bucket of the call}.
-- Asked twice for one call (a lost answer) it counts two: too strict by one, never too lax.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local allowed, remaining, fits_in, empty_in = count_call(
  KEYS[1], now, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
)
return {allowed and 1 or 0, remaining, fits_in, empty_in, math.floor(now / (tonumber(ARGV[2]) / tonumber(ARGV[3])))}
