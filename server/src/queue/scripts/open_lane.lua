-- KEYS: lane. ARGV: whether to open it (1) or only to note its limits, their revision, then fields and values.
-- Older limits than those that are known change nothing.
local known = tonumber(redis.call('HGET', KEYS[1], 'revision') or -1)
if tonumber(ARGV[2]) >= known then
  redis.call('HSET', KEYS[1], 'revision', ARGV[2], unpack(ARGV, 3))
end
if ARGV[1] == '1' then
  redis.call('HSET', KEYS[1], 'open', '1')
end
