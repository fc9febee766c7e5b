-- Leave a tombstone, also for a family that is not known here. KEYS[1] the family   ARGV: 1 reason  2 absolute expiry, ms
local key = KEYS[1]
if redis.call('HEXISTS', key, 'v') == 0 then
  redis.call('HSET', key, 'v', ARGV[1], 'x', ARGV[2], 'g', redis.call('HGET', key, 'g') or 0)
  redis.call('HDEL', key, 'n', 'pn', 'p')
  redis.call('PEXPIREAT', key, ARGV[2])
end
return 1
