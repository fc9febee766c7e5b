-- A sliding window made of buckets: no window of that length, wherever it begins, holds more than the limit.
--
-- One hash: bucket number → calls in it, ':', the ms from its beginning to the latest of them, ':' and their bytes where bytes
-- are counted. Counts a call at *now* (ms) if it fits; one that is refused is not counted. *budget*: bytes that the window may
-- hold, 0 or nil for any number; the first call of a window may have any size.
-- Gives allowed, how many are left, ms until one call fits again, ms until nothing is counted.
local function count_call(counter, now, limit, window, buckets, size, budget)
  local width = window / buckets
  local current = math.floor(now / width)
  local began = function(bucket) return math.floor(bucket * width) end

  local counted, of_current, first, last, gone = 0, 0, nil, nil, {}
  local held_bytes, bytes_of_current = 0, 0
  local held = redis.call('HGETALL', counter)
  for i = 1, #held, 2 do
    local bucket = tonumber(held[i])
    local calls, offset, bytes = string.match(held[i + 1], '(%d+):(%d+):?(%d*)')
    bytes = tonumber(bytes) or 0
    local latest = began(bucket) + offset
    -- A bucket counts in full until its latest call leaves the window.
    if latest + window <= now then
      gone[#gone + 1] = held[i]
    else
      counted = counted + calls
      held_bytes = held_bytes + bytes
      if bucket == current then of_current, bytes_of_current = tonumber(calls), bytes end
      first = math.min(first or latest, latest)
      last = math.max(last or latest, latest)
    end
  end
  if #gone > 0 then redis.call('HDEL', counter, unpack(gone)) end

  local weighed = budget and budget > 0
  local allowed = counted < limit and (not weighed or counted == 0 or held_bytes + size <= budget)
  if allowed then
    local value = string.format('%d:%d', of_current + 1, now - began(current))
    if weighed then value = value .. string.format(':%d', bytes_of_current + size) end
    redis.call('HSET', counter, current, value)
    redis.call('PEXPIRE', counter, window)
    -- Alone in its bucket, the call that was first is now no longer the latest.
    if first and first >= began(current) then first = now end
    counted, first, last = counted + 1, first or now, math.max(last or now, now)
  end
  return allowed, math.max(0, limit - counted), first and first + window - now or 0, last and last + window - now or 0
end
