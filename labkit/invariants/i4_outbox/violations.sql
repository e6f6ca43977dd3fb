-- I4 Outbox and broker: every message of an outbox reaches the broker at least once, and every message there comes from an outbox.
--
-- Anomaly: the outbox of orders holds a message about order 17, and the broker never received it. The relay marked the row as published
-- before the broker acknowledged the message, and was killed in between. (The mark itself proves nothing: only the ids are compared.)
WITH sent AS (SELECT id AS message_id, topic FROM outbox UNION SELECT message_id, topic FROM outbox_inserts),
  on_topic AS (SELECT topic, message_id, min(partition_no) AS partition_no, min(offset_no) AS offset_no FROM own_records GROUP BY topic, message_id)
SELECT 'unpublished' AS kind, o.id AS message_id, o.event, o.channel, o.order_id, o.customer_id, o.schema_name, o.published, o.topic,
  NULL::INTEGER AS partition_no, NULL::BIGINT AS offset_no, 0 AS badness
FROM outbox o LEFT JOIN on_topic r ON r.message_id = o.id AND r.topic = o.topic
WHERE r.message_id IS NULL
UNION ALL
SELECT 'stranger', r.message_id, r.event, r.channel, r.order_id, r.customer_id, NULL, NULL, r.topic, r.partition_no, r.offset_no, 0
FROM own_records r WHERE own_topic(r.topic) AND r.message_id IS NOT NULL AND r.message_id NOT IN (SELECT message_id FROM sent)
UNION ALL
SELECT 'elsewhere', r.message_id, r.event, r.channel, r.order_id, r.customer_id, NULL, NULL, r.topic, r.partition_no, r.offset_no, 0
FROM own_records r JOIN sent s USING (message_id) GROUP BY ALL HAVING bool_and(s.topic <> r.topic)
UNION ALL
SELECT 'no_message', NULL, NULL, r.channel, NULL, NULL, NULL, NULL, r.topic, r.partition_no, r.offset_no, 0
FROM own_records r WHERE own_topic(r.topic) AND r.message_id IS NULL
ORDER BY message_id, topic, partition_no, offset_no;
