-- Called by position.lua before it writes: a key of a wrong type must fail before anything is written, because Redis undoes nothing when a
-- script fails half-way. `types` holds the type of each key.
for i, wanted in ipairs(types) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= wanted and found ~= 'none' then
    error('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. found .. ', it should be a ' .. wanted, 0)
  end
end
