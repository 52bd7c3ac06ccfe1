-- KEYS: lane. ARGV: the settings' revision, then fields and values.
-- Older news than what is known changes nothing.
local known = tonumber(redis.call('HGET', KEYS[1], 'revision') or -1)
if tonumber(ARGV[1]) >= known then
  redis.call('HSET', KEYS[1], 'revision', ARGV[1], unpack(ARGV, 2))
end
