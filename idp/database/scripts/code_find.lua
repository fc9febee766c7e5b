return redis.call('HMGET', KEYS[1], 'g', 's')
