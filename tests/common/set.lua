local key, value = KEYS[1], ARGV[1]
redis.call('SET', key, value)
return 1
