-- KEYS: active set, waiting set, where the lists begin, turns, doorbell. ARGV: the priority's number, then for each job its
-- id, person and repository.
-- Appends each id that neither waits nor holds a slot, and rings once for each, up to as many rings as wake every runner
-- of a large installation: a ring too many makes a runner look in vain, a ring too few would let a job wait.
local since = redis.call('SCARD', KEYS[2]) == 0
local added = 0
for index = 2, #ARGV, 3 do
  local id = ARGV[index]
  if redis.call('SISMEMBER', KEYS[1], id) == 0 and redis.call('SADD', KEYS[2], id) == 1 then
    for side, ring in ipairs({ KEYS[3] .. ':people', KEYS[3] .. ':repositories' }) do
      local share = ARGV[index + side]
      -- A share is in the ring while its list has something.
      if redis.call('RPUSH', ring .. ':' .. share, id) == 1 then
        redis.call('RPUSH', ring, share)
      end
    end
    added = added + 1
  end
end
if added == 0 then
  return
end
if since then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[4], 'since:' .. ARGV[1], time[1] * 1000 + math.floor(time[2] / 1000))
end
local rings = {}
for ring = 1, math.min(added, 64) do
  rings[ring] = '1'
end
redis.call('RPUSH', KEYS[5], unpack(rings))
redis.call('LTRIM', KEYS[5], -64, -1)
