-- I5 Order per aggregate: the messages of one order, or of one customer, reach the broker in the order of their commits.
--
-- Anomaly: the approval of order 17 is in partition 3, and its creation is in partition 1. A consumer of both may receive them in either
-- order. The relay used a random key instead of the order's id. (A relay that crashed may publish e1 e2 e1 e2: only the first copy of each
-- counts.)
WITH committed AS (
  SELECT topic, channel, aggregate_id, message_id, event, order_id, customer_id, commit_no,
    row_number() OVER (PARTITION BY topic, aggregate_id ORDER BY commit_no, change_no) AS nth
  FROM outbox_inserts WHERE aggregate_id IS NOT NULL AND topic IN (SELECT topic FROM channels WHERE about IS NOT NULL)
), arrived AS (
  SELECT c.*, r.partition_no, r.offset_no, r.key
  FROM committed c JOIN first_records r USING (topic, message_id)
), first_partition AS (
  SELECT topic, aggregate_id, arg_min(partition_no, nth) AS partition_no, arg_min(message_id, nth) AS message_id, arg_min(event, nth) AS event,
    arg_min(offset_no, nth) AS offset_no, arg_min(key, nth) AS key
  FROM arrived GROUP BY topic, aggregate_id HAVING count(DISTINCT partition_no) > 1
), ordered AS (  -- answers about a customer who does not exist belong to no aggregate and need no order
  SELECT *, lag(message_id) OVER before AS before_id, lag(event) OVER before AS before_event, lag(offset_no) OVER before AS before_offset
  FROM arrived WHERE event IS NULL OR event NOT IN (SELECT event FROM message_types WHERE answers = 'unknown customer')
  WINDOW before AS (PARTITION BY topic, aggregate_id, partition_no ORDER BY nth)
)
SELECT 'two_partitions' AS kind, a.channel, a.aggregate_id, a.order_id, a.customer_id, a.commit_no, a.message_id, a.event, a.partition_no, a.offset_no, a.key,
  f.message_id AS before_id, f.event AS before_event, f.partition_no AS before_partition, f.offset_no AS before_offset, f.key AS before_key, 0 AS badness
FROM arrived a JOIN first_partition f ON f.topic = a.topic AND f.aggregate_id = a.aggregate_id
WHERE a.partition_no <> f.partition_no QUALIFY row_number() OVER (PARTITION BY a.topic, a.aggregate_id ORDER BY a.nth) = 1
UNION ALL
SELECT 'overtaken', channel, aggregate_id, order_id, customer_id, commit_no, message_id, event, partition_no, offset_no, key,
  before_id, before_event, partition_no, before_offset, key, before_offset - offset_no
FROM ordered WHERE offset_no < before_offset
ORDER BY commit_no, message_id;
