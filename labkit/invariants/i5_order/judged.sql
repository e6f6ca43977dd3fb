-- Orders and customers with at least two messages.
SELECT count(*) FROM (
  SELECT o.topic, o.aggregate_id FROM outbox_inserts o JOIN first_records r USING (topic, message_id)
  WHERE o.aggregate_id IS NOT NULL AND o.topic IN (SELECT topic FROM channels WHERE about IS NOT NULL)
  GROUP BY o.topic, o.aggregate_id HAVING count(*) > 1
);
