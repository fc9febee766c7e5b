-- What the presented refresh token is to its family; nothing changes. See family_rotate.lua for the hash.
--
-- KEYS[1] the family   ARGV: 1 generation  2 nonce  3 issued at, ms  4 clock skew, ms
-- Answers an outcome: OK and FORWARD may rotate, MISSING is unknown here, all others may not.
local family = redis.call('HMGET', KEYS[1], 'g', 'n', 't', 'v')
local generation, watermark = tonumber(ARGV[1]), tonumber(family[1])
if not watermark then return 'MISSING' end
if family[4] then return 'REVOKED' end
if generation < watermark then return 'REUSE' end
if generation == watermark then return ARGV[2] == family[2] and 'OK' or 'FORK' end
return ARGV[3] + ARGV[4] < tonumber(family[3]) and 'FORK' or 'FORWARD'
