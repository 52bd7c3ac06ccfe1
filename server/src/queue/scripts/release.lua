-- KEYS: active set, the runner's list, doorbell, the lane's waiting sets. ARGV: ids.
-- Gives the slots back and rings when something waits for one.
for _, id in ipairs(ARGV) do
  redis.call('SREM', KEYS[1], id)
  redis.call('LREM', KEYS[2], 1, id)
end
for set = 4, #KEYS do
  if redis.call('EXISTS', KEYS[set]) == 1 then
    redis.call('RPUSH', KEYS[3], '1')
    redis.call('LTRIM', KEYS[3], -64, -1)
    return
  end
end
