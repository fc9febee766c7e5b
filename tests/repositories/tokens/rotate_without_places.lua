-- family_rotate.lua of the last release without places, for tests of nodes of both releases side by side.
local key, counter = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local generation, nonce, issued_at = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local proposed, client = ARGV[4], ARGV[5]

local function revoke(reason)
  redis.call('HSET', key, 'v', reason)
  redis.call('HDEL', key, 'n', 'pn')
end

-- Only what names a successor is counted: whoever holds a dead token cannot use up what its user is allowed.
local allowed, remaining, fits_in, empty_in = true, nil, nil, nil
local function count()
  if counter then
    allowed, remaining, fits_in, empty_in =
      count_call(counter, now, tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]))
  end
  return allowed
end
local function successor(outcome, of, named, at) return {outcome, of, named, at, remaining, empty_in} end

local family = redis.call('HMGET', key, 'g', 'n', 'pn', 't', 'r', 'k', 'v', 'x', 'c')
local rebuilt = false
if not family[1] then
  local expires_at = ARGV[9]
  if expires_at == '' then return {'MISSING'} end
  if now >= tonumber(expires_at) then return {'EXPIRED'} end
  family = {generation, nonce, '', issued_at, 0, 0, false, expires_at, client}
  rebuilt = true
end

local watermark, current, previous = tonumber(family[1]), family[2], family[3]
local moved_at, replays, in_a_row = tonumber(family[4]), tonumber(family[5] or 0), tonumber(family[6] or 0)
if family[7] then return {'REVOKED', family[7]} end
if now >= tonumber(family[8]) then return {'EXPIRED'} end
if family[9] ~= client then return {'CLIENT'} end

local outcome
if generation == watermark then
  if nonce ~= current then revoke('fork'); return {'FORK'} end
  outcome = rebuilt and 'REBUILT' or 'OK'
elseif generation == watermark - 1 and nonce == previous then
  if proposed == current then return successor('OK', watermark, current, family[4]) end
  local grace = tonumber(ARGV[6])
  if grace > 0 and now - moved_at <= grace and in_a_row < tonumber(ARGV[7]) then
    -- The first replay is answered at any rate: told to wait longer than the grace, a client whose answer got lost
    -- would come back as a thief.
    if not count() and replays > 0 then return {'LIMITED', fits_in, empty_in} end
    redis.call('HINCRBY', key, 'r', 1)
    return successor('REISSUE', watermark, current, family[4])
  end
  revoke('reuse'); return {'REUSE'}
elseif generation < watermark then
  revoke('reuse'); return {'REUSE'}
else
  -- Authentic and newer than what is remembered here: writes were lost. Issued before the watermark last moved, it
  -- shows that somebody moved it with an older token meanwhile.
  if issued_at + tonumber(ARGV[8]) < moved_at then revoke('fork'); return {'FORK'} end
  outcome = 'FORWARD'
end

if not count() then return {'LIMITED', fits_in, empty_in} end
in_a_row = replays > 0 and in_a_row + 1 or 0
redis.call('HSET', key, 'g', generation + 1, 'n', proposed, 'pn', nonce, 't', now, 'r', 0, 'k', in_a_row)
if rebuilt then
  redis.call('HSET', key, 'x', family[8], 'c', client)
  redis.call('PEXPIREAT', key, family[8])
end
return successor(outcome, generation + 1, proposed, tostring(now))
