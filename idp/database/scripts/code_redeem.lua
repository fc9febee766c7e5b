-- Redeem a code. KEYS[1] the code, a hash: g what it stands for, s the session that it has begun
-- ARGV: 1 session  2 how long it is remembered, ms
-- Answers 1 to the call that redeems it, and to that call when it is sent again; 0 to every other.
local code = redis.call('HMGET', KEYS[1], 'g', 's')
if code[2] then return code[2] == ARGV[1] and 1 or 0 end
if not code[1] then return 0 end
redis.call('HSET', KEYS[1], 's', ARGV[1])
redis.call('HDEL', KEYS[1], 'g')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
