-- A sliding window made of buckets: no window of that length, wherever it begins, holds more than the limit.
--
-- One hash: bucket number → calls in it. Counts a call at *now* (ms) if it fits; one that is refused is not counted.
-- Gives allowed, how many are left, ms until one call fits again, ms until nothing is counted.
local function count_call(counter, now, limit, window, buckets)
  local width = window / buckets
  local current = math.floor(now / width)
  -- The bucket that the window's far end cuts through counts in full.
  local oldest = current - buckets

  local counted, first, last, gone = 0, nil, nil, {}
  local held = redis.call('HGETALL', counter)
  for i = 1, #held, 2 do
    local bucket, calls = tonumber(held[i]), tonumber(held[i + 1])
    if bucket < oldest then
      gone[#gone + 1] = held[i]
    else
      counted = counted + calls
      first = math.min(first or bucket, bucket)
      last = math.max(last or bucket, bucket)
    end
  end
  if #gone > 0 then redis.call('HDEL', counter, unpack(gone)) end

  local allowed = counted < limit
  if allowed then
    redis.call('HINCRBY', counter, current, 1)
    redis.call('PEXPIRE', counter, math.ceil(window + 2 * width))
    counted, first, last = counted + 1, first or current, current
  end
  -- A bucket stops counting when it is older than the oldest of its time.
  local leaves = function(bucket) return math.max(0, math.ceil((bucket + buckets + 1) * width - now)) end
  return allowed, math.max(0, limit - counted), first and leaves(first) or 0, last and leaves(last) or 0
end
