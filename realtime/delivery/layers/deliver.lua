-- Number a batch of events for each recipient, keep the frames, and publish them in the format of the channel layer.
-- An event that comes again keeps its number, and is published again; one that has expired is not delivered. Returns how
-- many had expired.
--
-- KEYS[1] is the lease that the caller must hold, KEYS[2] where its position in the stream goes; both may be missing.
-- ARGV[1] is a map in msgpack: `Call` in redis.py. Users are the text of their ids.
local lease_key, position_key = KEYS[1], KEYS[2]
local call = cmsgpack.unpack(ARGV[1])

if lease_key and redis.call('GET', lease_key) ~= call.token then
  return redis.error_reply('FENCED another process holds the lease')
end

local generation = current_generation(call.prefix, call.fresh_generation)
if call.after_gap then
  generation = new_generation(call.prefix, call.fresh_generation)
end
local epoch = epoch_of(generation)

local time = redis.call('TIME')  -- the clocks of processes may be wrong
local now = time[1] + time[2] / 1000000
local day = math.floor(now / 86400)

local ids_today = call.prefix .. 'ids:' .. day .. ':'
local ids_yesterday = call.prefix .. 'ids:' .. (day - 1) .. ':'
local OPENED = ''  -- a field of each day's ids: where it is missing, the key is new and needs an expiry

-- Return the number of an event that was numbered before.
local function known_number(user, event_id)
  local found = redis.call('HMGET', ids_today .. user, event_id, OPENED)
  if not found[2] then
    redis.call('HSET', ids_today .. user, OPENED, '')
    redis.call('EXPIRE', ids_today .. user, call.ids_ttl)
  end
  return found[1] or redis.call('HGET', ids_yesterday .. user, event_id)
end

local function next_number(user, event_id)
  local number = redis.call('INCR', call.prefix .. 'head:' .. user)
  local had_one = redis.call('SADD', call.prefix .. 'numbered', user) == 0
  if number == 1 then
    if had_one then
      epoch = epoch_of(new_generation(call.prefix, call.fresh_generation))  -- the counter was lost
    end
    number = redis.call('INCRBY', call.prefix .. 'head:' .. user, floor_of(call.prefix))
  end
  redis.call('HSET', ids_today .. user, event_id, number)
  return number
end

local function keep(user, frame)
  local frames = call.prefix .. 'frames:' .. user
  if redis.call('RPUSH', frames, frame) > call.max_frames then
    redis.call('LPOP', frames)
  end
  redis.call('PEXPIRE', frames, call.frames_ttl_ms)
end

local expired = 0

for _, event in ipairs(call.events) do
  local event_id, event_type, common_head, recipients, at, valid_until, trace = unpack(event, 1, 7)  -- the last may be nil
  if valid_until and valid_until <= now then
    expired, recipients = expired + 1, {}
  end
  for _, recipient in ipairs(recipients) do
    local user, own_head = unpack(recipient)
    local number = known_number(user, event_id)
    local is_new = not number
    if is_new then
      number = next_number(user, event_id)
    end
    local frame = (own_head or common_head) .. ',"seq":' .. number .. '}'
    if is_new then
      keep(user, frame)
    end
    redis.call('PUBLISH', call.channel_prefix .. user, cmsgpack.pack({
      type = call.message_type, epoch = epoch, seq = tonumber(number), event = event_type, frame = frame, at = at,
      trace = trace}))
  end
end

if call.position then
  redis.call('SET', position_key, call.position)
end
return expired
