-- Forget the counters of users of whom nothing else is kept: neither frames nor ids of events, which last for a day at
-- least. Looks at some members of `numbered`, from the cursor ARGV[2] on; returns the next cursor, '0' at the end.
local prefix, cursor, count = ARGV[1], ARGV[2], ARGV[3]

local day = math.floor(redis.call('TIME')[1] / 86400)
local before = floor_of(prefix)
local floor = before
local found = redis.call('SSCAN', prefix .. 'numbered', cursor, 'COUNT', count)

for _, user in ipairs(found[2]) do
  local head = redis.call('GET', prefix .. 'head:' .. user)  -- none for a generation, or one that was lost
  local kept = redis.call('EXISTS', prefix .. 'frames:' .. user, prefix .. 'ids:' .. day .. ':' .. user,
    prefix .. 'ids:' .. (day - 1) .. ':' .. user)
  if head and kept == 0 then
    redis.call('DEL', prefix .. 'head:' .. user)
    redis.call('SREM', prefix .. 'numbered', user)
    floor = math.max(floor, tonumber(head))
  end
end

if floor > before then
  redis.call('SET', prefix .. 'floor', string.format('%.0f', floor))
  redis.call('SADD', prefix .. 'numbered', FLOOR)
end
return found[1]
