-- One process says that it is there. KEYS: the roll, and those whose clock is wrong. ARGV: its name, what is wrong with its
-- clock (empty: nothing), and the seconds after which each of the two forgets.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[3]))
if ARGV[2] ~= '' then redis.call('ZADD', KEYS[2], now, ARGV[2]) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[4]))
