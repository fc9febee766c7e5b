-- Spend what may be used once. The same call asked twice (a lost answer) gets the same answer.
--
-- KEYS[1] what is spent   ARGV: 1 a name of this call  2 lifetime, ms
-- Answers 1 for the first call, 0 for any other.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return 1
end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
