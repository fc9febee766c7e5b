-- One counted call counts no longer. KEYS[1] what is counted   ARGV: 1 the bucket of the call
-- Answers 1 if it was still counted, else 0.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return 0 end
local calls, rest = string.match(held, '(%d+)(:.*)')
if tonumber(calls) > 1 then
  redis.call('HSET', KEYS[1], ARGV[1], (calls - 1) .. rest)
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
