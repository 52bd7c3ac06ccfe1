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
local most_lines, most_bytes = tonumber(ARGV[2]), tonumber(ARGV[3])
local lines, bytes, step = {}, 0, 16
while step > 0 do
  local part = redis.call('LRANGE', KEYS[1], index + #lines, index + #lines + step - 1)
  for _, line in ipairs(part) do
    lines[#lines + 1] = line
    bytes = bytes + #line
  end
  if #part < step then
    break
  end
  -- As many more as should fit, going by those so far: of long lines, thousands at once would be copied in vain.
  step = math.floor(math.min(most_lines - #lines, (most_bytes - bytes) * #lines / bytes))
end
return {last, lines}
