-- Remember a new family. KEYS[1] the family   ARGV: 1 nonce  2 client  3 absolute expiry, ms
-- Answers {generation, nonce, issued at, ms}; asked again with the same nonce (a lost answer) it answers the same.
-- {'REVOKED'} for a family that was ended before it began: its session is stored before, and may be ended by anyone.
local key = KEYS[1]
local known = redis.call('HMGET', key, 'g', 'n', 't', 'v')
if known[4] then return {'REVOKED'} end
if known[1] then
  if known[2] == ARGV[1] then return {tonumber(known[1]), known[2], known[3]} end
  return redis.error_reply('the family exists')
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', key, 'g', 1, 'n', ARGV[1], 't', now, 'x', ARGV[3], 'c', ARGV[2])
redis.call('PEXPIREAT', key, ARGV[3])
return {1, ARGV[1], tostring(now)}
