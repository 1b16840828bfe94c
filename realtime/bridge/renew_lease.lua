-- Take the lease if nobody has it, or renew our own. Returns 1 where we have it now, 0 where another process does.
local lease, token, period_ms = KEYS[1], ARGV[1], ARGV[2]
if redis.call('GET', lease) == token then
  return redis.call('PEXPIRE', lease, period_ms)
end
return redis.call('SET', lease, token, 'NX', 'PX', period_ms) and 1 or 0
