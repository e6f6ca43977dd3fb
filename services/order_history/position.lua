-- Around another script, `write`: it runs unless its message was taken before, and then the position after the message is stored.
-- Last, because Redis undoes nothing when a script fails half-way: without its position the message comes again.
--
-- KEYS  1 positions of the subscriber (hash)
-- ARGV  1 field of the position ("channel:partition"; "" when more messages of the same record follow)  2 the position after this message
--       3 the position that this subscriber knows to be stored ("" when it does not know)
-- Answers 1 written, 0 known already, -1 the stored position is not the one that the subscriber knows.

-- Positions are decimal numbers joined by "-". A number can have 64 bits, more than Lua's numbers hold exactly: its digits are compared.
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
  local is_position = string.find(stored, '^%d[%d-]*$')  -- not what somebody else wrote there
  if is_position and is_at_or_beyond(stored, ARGV[2]) then return 0 end
  if ARGV[3] ~= '' and ARGV[3] ~= stored then return -1 end
end
write()
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1
