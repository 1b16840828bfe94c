-- The epoch is the name of all numbers that have been given out; a number means something only together with it.
--
-- It is made of a random generation in the data and of the server's life. The generation is lost with the data, and
-- renewed when numbers may have been lost. `run_id` changes with every start and `master_replid` with every promotion
-- of a replica, after either of which the data may be older than what clients have seen.
-- https://valkey.io/topics/replication/#replication-id-explained

local function epoch_of(generation)
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
  local replication_id = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
  return string.sub(redis.sha1hex(generation .. run_id .. replication_id), 1, 20)
end

-- `numbered` is the set of the users who have a counter, of the generation, and of the word FLOOR where there is a floor:
-- like this the loss of any of the four (an eviction policy other than noeviction may take single keys) is noticed, and is
-- a new generation.
local FLOOR = 'floor'

local function new_generation(prefix, fresh)
  redis.call('SET', prefix .. 'generation', fresh)
  redis.call('SADD', prefix .. 'numbered', fresh)
  redis.call('SREM', prefix .. 'numbered', FLOOR)
  redis.call('DEL', prefix .. 'floor')
  return fresh
end

local function current_generation(prefix, fresh)
  local generation = redis.call('GET', prefix .. 'generation')
  if not generation or redis.call('SISMEMBER', prefix .. 'numbered', generation) == 0 then
    return new_generation(prefix, fresh)
  end
  if redis.call('SISMEMBER', prefix .. 'numbered', FLOOR) ~= redis.call('EXISTS', prefix .. 'floor') then
    return new_generation(prefix, fresh)
  end
  return generation
end

-- Return the number after which the counter of a user begins: the highest of those that were forgotten (forget.lua), so
-- that no number is given twice within a generation.
local function floor_of(prefix)
  return tonumber(redis.call('GET', prefix .. 'floor') or '0')
end
