-- Return the epoch, the number of a user's newest notification, and the frames after the number `after` of `epoch`;
-- nil instead of the frames where they are not all kept, or `epoch` is not the present one. A user without any notification
-- is at the number after which theirs will begin.
local prefix, user, fresh = ARGV[1], ARGV[2], ARGV[3]
local wanted_epoch, after = ARGV[4], tonumber(ARGV[5])

local epoch = epoch_of(current_generation(prefix, fresh))
local head = tonumber(redis.call('GET', prefix .. 'head:' .. user) or floor_of(prefix))
if wanted_epoch ~= epoch or after > head then
  return {epoch, head, false}
end
if after == head then
  return {epoch, head, {}}
end
local frames = prefix .. 'frames:' .. user
if redis.call('LLEN', frames) < head - after then
  return {epoch, head, false}
end
return {epoch, head, redis.call('LRANGE', frames, after - head, -1)}
