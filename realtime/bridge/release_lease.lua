-- Delete the lease if it is our own: another process may have taken it meanwhile.
local lease, token = KEYS[1], ARGV[1]
if redis.call('GET', lease) == token then
  return redis.call('DEL', lease)
end
return 0
