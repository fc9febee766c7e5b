-- Whether a code was presented again after it was redeemed. KEYS[1] the code
return redis.call('HEXISTS', KEYS[1], 'r')
