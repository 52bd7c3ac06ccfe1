-- KEYS: waiting set, active set, list, doorbell. ARGV: ids.
-- Appends each id that neither waits nor holds a slot, and rings once for each, up to as many rings as wake every runner
-- of a large installation: a ring too many makes a runner look in vain, a ring too few would let a job wait.
local added = 0
for _, id in ipairs(ARGV) do
  if redis.call('SISMEMBER', KEYS[2], id) == 0 and redis.call('SADD', KEYS[1], id) == 1 then
    redis.call('RPUSH', KEYS[3], id)
    added = added + 1
  end
end
for _ = 1, math.min(added, 64) do
  redis.call('RPUSH', KEYS[4], '1')
end
redis.call('LTRIM', KEYS[4], -64, -1)
