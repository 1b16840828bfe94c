-- Return the epoch, and then the number of the newest notification of each user of ARGV[3], ARGV[4], …; nil for those who
-- have none, or whose number was forgotten.
local prefix, fresh = ARGV[1], ARGV[2]

local answer = {epoch_of(current_generation(prefix, fresh))}
for index = 3, #ARGV do
  answer[index - 1] = redis.call('GET', prefix .. 'head:' .. ARGV[index])
end
return answer
