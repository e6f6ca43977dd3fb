-- Write one event into a customer's view, together with the position of its channel partition: both or neither.
--
-- KEYS  1 positions of the subscriber (hash)  2 the customer's view (hash)  3 ids of all customers that have a view (set)
-- ARGV  1 field of the position ("channel:partition"; "" when more events of the same record follow)  2 the position after this event
--       3 the position that this subscriber knows to be stored ("" when it does not know)
--       4 customer id ("" when the event changes no view)  5 field of the order's state ("" when there is none)  6 the state
--       7… pairs of field and value; a value that begins with + is added
-- Answers 1 written, 0 known already, -1 the stored position is not the one that the subscriber knows.
if ARGV[1] ~= '' then
  local stored = redis.call('HGET', KEYS[1], ARGV[1]) or ''
  if stored ~= '' and tonumber(stored) >= tonumber(ARGV[2]) then return 0 end
  if ARGV[3] ~= '' and ARGV[3] ~= stored then return -1 end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
if ARGV[4] ~= '' then
  redis.call('SADD', KEYS[3], ARGV[4])
  for i = 7, #ARGV, 2 do
    if string.sub(ARGV[i + 1], 1, 1) == '+' then
      redis.call('HINCRBY', KEYS[2], ARGV[i], string.sub(ARGV[i + 1], 2))
    else
      redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    end
  end
  if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], ARGV[5], ARGV[6]) end
end
return 1
