-- Keep a record that was given up in the dead-letter stream and step over it: once, however often it is delivered.
--
-- KEYS  1 positions of the subscriber (hash)  2 dead letters (stream)
-- ARGV  1 field of the position ("channel:partition")  2 the position after the record  3… pairs of field and value
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if stored and tonumber(stored) >= tonumber(ARGV[2]) then return 0 end
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
