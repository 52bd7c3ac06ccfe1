-- KEYS: list. ARGV: seq to read after, most lines, most bytes.
-- Returns the last seq in the list (0 when it is empty) and the lines that follow; none when the next one is not here.
local head = redis.call('LINDEX', KEYS[1], 0)
if not head then
  return {0, {}}
end
local first = tonumber(string.match(head, '^{"seq":(%d+)'))
local last = first + redis.call('LLEN', KEYS[1]) - 1
local index = tonumber(ARGV[1]) + 1 - first
if index < 0 or tonumber(ARGV[1]) >= last then
  return {last, {}}
end
local lines = redis.call('LRANGE', KEYS[1], index, index + tonumber(ARGV[2]) - 1)
local bytes = 0
for i, line in ipairs(lines) do
  bytes = bytes + #line
  if bytes > tonumber(ARGV[3]) then
    return {last, {unpack(lines, 1, i)}}
  end
end
return {last, lines}
