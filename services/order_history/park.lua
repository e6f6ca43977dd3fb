-- Store a record that was given up in the dead-letter stream. position.lua wraps this script, so a redelivered record is stored only once.
--
-- KEYS  1 positions of the subscriber (hash)  2 dead letters (stream)
-- ARGV  1 to 3: see position.lua  4… pairs of field and value
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 4))
