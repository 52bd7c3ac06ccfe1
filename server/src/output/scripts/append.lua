-- KEYS: list, fence. ARGV: bell, attempt, expected length, elements to drop from the head, seconds to live, lines.
-- Appends only when the list is as the writer left it and the attempt may still write.
if redis.call('GET', KEYS[2]) ~= ARGV[2] or redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[3]) then
  return 0
end
redis.call('RPUSH', KEYS[1], unpack(ARGV, 6))
if ARGV[4] ~= '0' then
  redis.call('LTRIM', KEYS[1], ARGV[4], -1)
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', ARGV[1], '1')
return 1
