-- KEYS[1] the code   ARGV: 1 what it stands for  2 lifetime, ms
redis.call('HSET', KEYS[1], 'g', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
