-- KEYS: waiting set, active set, the runner's list, doorbell. ARGV: ids.
-- Gives the slots back and rings when something waits for one.
for _, id in ipairs(ARGV) do
  redis.call('SREM', KEYS[2], id)
  redis.call('LREM', KEYS[3], 1, id)
end
if redis.call('SCARD', KEYS[1]) > 0 then
  redis.call('RPUSH', KEYS[4], '1')
  redis.call('LTRIM', KEYS[4], -64, -1)
end
