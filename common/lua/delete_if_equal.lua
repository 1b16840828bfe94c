-- Delete a key if it still has the value that we gave it: whoever has written another one owns it now.
local key, own_value = KEYS[1], ARGV[1]
if redis.call('GET', key) == own_value then
  return redis.call('DEL', key)
end
return 0
