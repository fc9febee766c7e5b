-- A sliding window made of buckets: no window of that length, wherever it begins, holds more than the limit.
--
-- One hash: bucket number → calls in it, ':' and the ms from its beginning to the latest of them. Counts a call at *now*
-- (ms) if it fits; one that is refused is not counted.
-- Gives allowed, how many are left, ms until one call fits again, ms until nothing is counted.
local function count_call(counter, now, limit, window, buckets)
  local width = window / buckets
  local current = math.floor(now / width)
  local began = function(bucket) return math.floor(bucket * width) end

  local counted, of_current, first, last, gone = 0, 0, nil, nil, {}
  local held = redis.call('HGETALL', counter)
  for i = 1, #held, 2 do
    local bucket = tonumber(held[i])
    local calls, offset = string.match(held[i + 1], '(%d+):(%d+)')
    local latest = began(bucket) + offset
    -- A bucket counts in full until its latest call leaves the window.
    if latest + window <= now then
      gone[#gone + 1] = held[i]
    else
      counted = counted + calls
      if bucket == current then of_current = tonumber(calls) end
      first = math.min(first or latest, latest)
      last = math.max(last or latest, latest)
    end
  end
  if #gone > 0 then redis.call('HDEL', counter, unpack(gone)) end

  local allowed = counted < limit
  if allowed then
    redis.call('HSET', counter, current, string.format('%d:%d', of_current + 1, now - began(current)))
    redis.call('PEXPIRE', counter, window)
    -- Alone in its bucket, the call that was first is now no longer the latest.
    if first and first >= began(current) then first = now end
    counted, first, last = counted + 1, first or now, math.max(last or now, now)
  end
  return allowed, math.max(0, limit - counted), first and first + window - now or 0, last and last + window - now or 0
end
