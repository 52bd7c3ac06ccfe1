-- KEYS: starts, the lane's waiting sets.
-- Returns how many started within the last minute, when the oldest of them did, and how many wait in each priority.
local time = redis.call('TIME')
local minute_ago = time[1] * 1000 + math.floor(time[2] / 1000) - 60000
local started, oldest = 0, 0
for _, start in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if tonumber(start) > minute_ago then
    started = started + 1
    oldest = oldest == 0 and tonumber(start) or oldest
  end
end
local answer = { started, oldest }
for set = 2, #KEYS do
  answer[set + 1] = redis.call('SCARD', KEYS[set])
end
return answer
