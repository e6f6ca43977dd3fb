-- Write one event into a customer's view. position.lua wraps this script: first it checks that the event is new, afterwards it stores
-- the position after the event. All of it runs in one call to Redis.
--
-- KEYS  1 positions of the subscriber (hash)  2 the customer's view (hash)  3 ids of all customers with a view (set)
-- ARGV  1 to 3: see position.lua
--       4 customer id ("" when the event changes no view)  5 field of the order's state ("" when there is none)  6 the state
--       7… pairs of field and value; a value that begins with + is added
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
