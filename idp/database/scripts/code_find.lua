-- What a code stands for, or the session that it has begun: then this is another use of it, which is noted. KEYS[1] the code
local code = redis.call('HMGET', KEYS[1], 'g', 's')
if code[2] then redis.call('HSET', KEYS[1], 'r', 1) end
return code
