-- KEYS: lane, active set, starts, the runner's list, turns; then for each priority, the most urgent first, where its lists
-- begin and its waiting set. ARGV: how many jobs the runner can take.
-- Moves ids to the runner in one step, so that no id is ever in nobody's hands. Returns in how many milliseconds the lane
-- may have something although nobody rings (-1: never), and the ids.

-- So many ids that have left the queue are passed over in one call; Redis does nothing else meanwhile.
local MOST_GONE = 5000
local MINUTE = 60000
local PRIORITIES = 4

local settings = redis.call('HMGET', KEYS[1], 'concurrency', 'rate', 'paused_until', 'ageing', 'open')
if not settings[5] then
  return { 500 }
end
local concurrency, rate = tonumber(settings[1]), tonumber(settings[2])
local paused_until, ageing = tonumber(settings[3]), tonumber(settings[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if paused_until < 0 then
  return { -1 }
elseif paused_until > now then
  return { paused_until - now }
end
local free = math.min(tonumber(ARGV[1]), concurrency - redis.call('SCARD', KEYS[2]))
if rate > 0 then
  local oldest = tonumber(redis.call('LINDEX', KEYS[3], 0))
  while oldest and oldest <= now - MINUTE do
    redis.call('LPOP', KEYS[3])
    oldest = tonumber(redis.call('LINDEX', KEYS[3], 0))
  end
  local left = rate - redis.call('LLEN', KEYS[3])
  if left <= 0 then
    return { oldest + MINUTE - now }
  end
  free = math.min(free, left)
end

local answer = { -1 }
local gone = 0

-- Takes up to `wanted` jobs of a priority: by turns the next of a person and the next of a repository, so that neither who
-- asks for much nor what much is asked of keeps the others waiting.
local function take(priority, wanted)
  local queue, waiting = KEYS[4 + 2 * priority], KEYS[5 + 2 * priority]
  local rings = { queue .. ':people', queue .. ':repositories' }
  local turn = tonumber(redis.call('HGET', KEYS[5], 'turn:' .. priority) or 1)
  local taken, empty = 0, 0
  while taken < wanted and empty < 2 and gone < MOST_GONE do
    local ring = rings[turn]
    local share = redis.call('LPOP', ring)
    if share then
      empty = 0
      local list = ring .. ':' .. share
      local id = redis.call('LPOP', list)
      while id and redis.call('SREM', waiting, id) == 0 do
        gone = gone + 1
        id = gone < MOST_GONE and redis.call('LPOP', list)
      end
      if redis.call('EXISTS', list) == 1 then
        redis.call('RPUSH', ring, share)
      end
      if id and redis.call('SADD', KEYS[2], id) == 1 then
        redis.call('RPUSH', KEYS[4], id)
        if rate > 0 then
          redis.call('RPUSH', KEYS[3], now)
        end
        answer[#answer + 1] = id
        taken = taken + 1
      end
    else
      empty = empty + 1
    end
    turn = 3 - turn
  end
  if taken > 0 then
    redis.call('HSET', KEYS[5], 'turn:' .. priority, turn, 'since:' .. priority, now)
  end
  return taken
end

local waits = {}
for priority = 1, PRIORITIES do
  waits[priority] = redis.call('SCARD', KEYS[5 + 2 * priority]) > 0
end
-- Who has waited for its turn for longest, and for too long, goes before the more urgent ones, once. Then one of these comes
-- first again: where starts are further apart than `ageing`, somebody has always waited for too long.
local aged = 0
if free > 0 and not redis.call('HGET', KEYS[5], 'aged') then
  local longest, overdue = ageing, nil
  for priority = 2, PRIORITIES do
    local since = waits[priority] and tonumber(redis.call('HGET', KEYS[5], 'since:' .. priority))
    if since and now - since >= longest then
      longest, overdue = now - since, priority
    end
  end
  aged = overdue and take(overdue, 1) or 0
  free = free - aged
end
local usual = 0
for priority = 1, PRIORITIES do
  if free > usual and waits[priority] then
    usual = usual + take(priority, free - usual)
  end
end
if usual > 0 then
  redis.call('HDEL', KEYS[5], 'aged')
elseif aged > 0 then
  redis.call('HSET', KEYS[5], 'aged', 1)
end
if gone >= MOST_GONE then
  answer[1] = 0
end
if #answer > 1 then
  -- What a runner that died had in its hands is forgotten some day.
  redis.call('EXPIRE', KEYS[4], 86400)
end
return answer
