-- Wraps another script, `write`: runs it unless its message was processed before, then stores the position after the message.
-- The position comes last, because Redis undoes nothing when a script fails half-way: without its position, the message is redelivered.
--
-- KEYS  1 positions of the subscriber (hash)
-- ARGV  1 field of the position ("channel:partition"; "" when more messages of the same record follow)  2 the position after this message
--       3 the position that this subscriber last stored ("" when unknown)
-- Returns 1 when written, 0 when processed before, -1 when the stored position differs from the subscriber's.

-- Positions are decimal numbers joined by "-". A number can have 64 bits, more than a Lua number holds exactly, so digits are compared.
local function is_at_or_beyond(stored, position)
  local numbers = string.gmatch(stored, '%d+')
  for number in string.gmatch(position, '%d+') do
    local other = numbers() or ''
    if #other ~= #number then return #other > #number end
    if other ~= number then return other > number end
  end
  return true
end

if ARGV[1] ~= '' then
  local stored = redis.call('HGET', KEYS[1], ARGV[1]) or ''
  local is_position = string.find(stored, '^%d[%d-]*$')  -- ignore values in another format
  if is_position and is_at_or_beyond(stored, ARGV[2]) then return 0 end
  if ARGV[3] ~= '' and ARGV[3] ~= stored then return -1 end
end
require_types()
write()
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1
