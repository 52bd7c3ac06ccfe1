-- KEYS: waiting set, active set, the runner's list, then the lane's lists from the most urgent on.
-- ARGV: how many the runner can take, the lane's concurrency.
-- Moves ids to the runner in one step, so that no id is ever in nobody's hands. Returns them.
local free = math.min(tonumber(ARGV[1]), tonumber(ARGV[2]) - redis.call('SCARD', KEYS[2]))
local claimed = {}
for list = 4, #KEYS do
  while #claimed < free do
    local id = redis.call('LPOP', KEYS[list])
    if not id then
      break
    end
    redis.call('SREM', KEYS[1], id)
    redis.call('SADD', KEYS[2], id)
    redis.call('RPUSH', KEYS[3], id)
    claimed[#claimed + 1] = id
  end
end
return claimed
