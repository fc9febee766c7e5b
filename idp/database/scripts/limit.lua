-- Count one call in a sliding window made of buckets: no window of that length, wherever it begins, holds more than the limit.
--
-- KEYS[1] what is counted: one hash, bucket number → calls in it   ARGV: 1 limit  2 window, ms  3 buckets in a window
-- Answers {allowed, remaining, ms until one call fits again, ms until nothing is counted}. A call refused is not counted.
-- Asked twice for one call (a lost answer) it counts two: too strict by one, never too lax.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, window, buckets = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local width = window / buckets
local current = math.floor(now / width)
-- The bucket that the window's far end cuts through counts in full.
local oldest = current - buckets

local counted, first, last, gone = 0, nil, nil, {}
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  local bucket, calls = tonumber(held[i]), tonumber(held[i + 1])
  if bucket < oldest then
    gone[#gone + 1] = held[i]
  else
    counted = counted + calls
    first = math.min(first or bucket, bucket)
    last = math.max(last or bucket, bucket)
  end
end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end

local allowed = counted < limit
if allowed then
  redis.call('HINCRBY', KEYS[1], current, 1)
  redis.call('PEXPIRE', KEYS[1], math.ceil(window + 2 * width))
  counted, first, last = counted + 1, first or current, current
end
-- A bucket stops counting when it is older than the oldest of its time.
local leaves = function(bucket) return math.max(0, math.ceil((bucket + buckets + 1) * width - now)) end
return {allowed and 1 or 0, math.max(0, limit - counted), first and leaves(first) or 0, last and leaves(last) or 0}
