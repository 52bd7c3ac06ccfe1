-- KEYS: waiting set, list. ARGV: id.
if redis.call('SREM', KEYS[1], ARGV[1]) == 1 then
  redis.call('LREM', KEYS[2], 1, ARGV[1])
end
