-- A use of something that expires when it is not used. KEYS[1]   ARGV: 1 lifetime from now, ms
-- Answers 1 when it was known, else 0.
return redis.call('PEXPIRE', KEYS[1], ARGV[1])
