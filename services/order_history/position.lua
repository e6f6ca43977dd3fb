-- Around another script, `write`: it runs if its message was not taken before, and then the position after the message is noted.
-- Last, because Redis takes nothing back of a script that fails half-way: without its position the message comes again.
--
-- KEYS  1 positions of the subscriber (hash)
-- ARGV  1 field of the position ("channel:partition"; "" when more messages of the same record follow)  2 the position after this message
--       3 the position that this subscriber knows to be stored ("" when it does not know)
-- Answers 1 written, 0 known already, -1 the stored position is not the one that the subscriber knows.
if ARGV[1] ~= '' then
  local stored = redis.call('HGET', KEYS[1], ARGV[1]) or ''
  local taken = tonumber(stored)  -- nil also for what somebody else wrote there
  if taken and taken >= tonumber(ARGV[2]) then return 0 end
  if ARGV[3] ~= '' and ARGV[3] ~= stored then return -1 end
end
write()
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1
