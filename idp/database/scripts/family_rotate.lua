-- Retire the presented refresh token and name its successor: the state machine of idp/domain/tokens/refresh_tokens.py.
--
-- Begins with window.lua. One hash per family; its size does not grow with rotations.
--   g watermark: the only generation that may rotate   n its nonce   pn nonce of generation g-1
--   t ms when g was issued   p the place that g-1 was retired from   h g, if g-1 was repeated from there
--   r repetitions of g-1 from another place   k generations in a row that saw one of these
--   v why revoked (then a tombstone)   x absolute expiry in ms   c client
-- A place is an opaque value that differs from generation to generation: one that the previous release did not replace
-- when it rotated matches no later token. Families of that release have none.
--
-- KEYS[1] the family  2 what its user's refreshes are counted in, if they are limited
-- ARGV: 1 generation  2 nonce  3 issued at, ms  4 proposed nonce  5 client
--       6 grace, ms  7 most generations in a row with a repetition from another place  8 clock skew, ms
--       9 rebuild until, ms, or ''  10 place, or '' if unknown  11 limit  12 window, ms  13 buckets in a window
-- Answers {outcome, generation, nonce, issued at}, or {outcome} or {'REVOKED', reason}.
-- With a limit the first has two more: remaining, ms until nothing is counted. What it refuses leaves the family as it is:
-- {'LIMITED', ms until one call fits again, ms until nothing is counted}.
-- Asked again with the same proposed nonce it answers the same, so a driver may repeat a call whose answer was lost.
local key, counter = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local generation, nonce, issued_at = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local proposed, client, place = ARGV[4], ARGV[5], ARGV[10]

local function revoke(reason)
  redis.call('HSET', key, 'v', reason)
  redis.call('HDEL', key, 'n', 'pn', 'p')
end

-- Only what names a successor is counted: whoever holds a dead token cannot use up what its user is allowed.
local allowed, remaining, fits_in, empty_in = true, nil, nil, nil
local function count()
  if counter then
    allowed, remaining, fits_in, empty_in =
      count_call(counter, now, tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]))
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
local moved_at, elsewhere, in_a_row = tonumber(family[4]), tonumber(family[5] or 0), tonumber(family[6] or 0)
if family[7] then return {'REVOKED', family[7]} end
if now >= tonumber(family[8]) then return {'EXPIRED'} end
if family[9] ~= client then return {'CLIENT'} end

local outcome
if generation == watermark then
  if nonce ~= current then revoke('fork'); return {'FORK'} end
  outcome = rebuilt and 'REBUILT' or 'OK'
elseif generation == watermark - 1 and nonce == previous then
  if proposed == current then return successor('OK', watermark, current, family[4]) end
  -- Read here only: a rotation needs neither.
  local left = redis.call('HMGET', key, 'p', 'h')
  local grace, same_place = tonumber(ARGV[6]), place ~= '' and place == left[1]
  if grace > 0 and now - moved_at <= grace and (same_place or in_a_row < tonumber(ARGV[7])) then
    -- The first repetition is answered at any rate: told to wait longer than the grace, a client whose answer got lost
    -- would come back as a thief.
    local repeated = elsewhere > 0 or tonumber(left[2] or 0) == watermark
    if not count() and repeated then return {'LIMITED', fits_in, empty_in} end
    if same_place then redis.call('HSET', key, 'h', watermark) else redis.call('HINCRBY', key, 'r', 1) end
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
in_a_row = elsewhere > 0 and in_a_row + 1 or 0
redis.call('HSET', key, 'g', generation + 1, 'n', proposed, 'pn', nonce, 't', now, 'p', place, 'r', 0, 'k', in_a_row)
if rebuilt then
  redis.call('HSET', key, 'x', family[8], 'c', client)
  redis.call('PEXPIREAT', key, family[8])
end
return successor(outcome, generation + 1, proposed, tostring(now))
