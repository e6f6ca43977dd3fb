-- Messages with a subscriber that must react to them.
SELECT count(DISTINCT message_id) FROM records r SEMI JOIN orders o ON o.id = r.order_id WHERE event IN (SELECT event FROM reactions);
