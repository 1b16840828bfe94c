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

-- `numbered` is the set of the users who have a counter, and of the generation: like this the loss of any of the three
-- (an eviction policy other than noeviction may take single keys) is noticed, and is a new generation.

local function new_generation(prefix, fresh)
  redis.call('SET', prefix .. 'generation', fresh)
  redis.call('SADD', prefix .. 'numbered', fresh)
  return fresh
end

local function current_generation(prefix, fresh)
  local generation = redis.call('GET', prefix .. 'generation')
  if generation and redis.call('SISMEMBER', prefix .. 'numbered', generation) == 1 then
    return generation
  end
  return new_generation(prefix, fresh)
end
