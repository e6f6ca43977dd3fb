-- I12 Written once, with the change: a message that announces a change is written once, in the transaction of that change.
--
-- Anomaly: order 17 became APPROVED in one commit, and that commit holds two messages that announce it. Their ids differ, so a subscriber
-- cannot recognise the second as a copy of the first. A subscriber that counts approved orders counts two. (A change without a message
-- violates the invariant that misses its effect: I2, I3 or I7.)
WITH changes AS (
  SELECT c.commit_no, m.event, c.id FROM (
    SELECT DISTINCT commit_no, CASE state_after WHEN 'PENDING' THEN 'order stored' WHEN 'APPROVED' THEN 'order approved'
      WHEN 'REJECTED' THEN 'order rejected' WHEN 'CANCELLED' THEN 'order cancelled' END AS announces, order_id AS id
    FROM order_steps WHERE state_before IS DISTINCT FROM state_after AND (state_after <> 'PENDING' OR state_before IS NULL)
    UNION ALL
    SELECT DISTINCT commit_no, 'customer stored', customer_id FROM customer_steps WHERE NOT exists_before AND exists_after
    UNION ALL
    SELECT DISTINCT commit_no, 'credit reserved', order_id FROM reservation_steps WHERE before IS NULL AND after IS NOT NULL
  ) c JOIN message_types m USING (announces)
), written AS (
  SELECT o.commit_no, o.event, m.announces, m.schema_name, CASE m.announces WHEN 'customer stored' THEN o.customer_id ELSE o.order_id END AS id,
    any_value(o.customer_id) AS customer_id, count(*) AS messages, list(o.message_id ORDER BY o.change_no) AS message_ids
  FROM outbox_inserts o JOIN message_types m USING (event) WHERE m.announces IS NOT NULL
  GROUP BY o.commit_no, o.event, m.announces, m.schema_name, id
), unsaid AS (SELECT event, id, min(commit_no) AS commit_no FROM changes ANTI JOIN written USING (commit_no, event, id) GROUP BY event, id
), ever AS (SELECT event, id, min(commit_no) AS commit_no FROM changes GROUP BY event, id
), found AS (
  SELECT 'twice' AS kind, w.*, w.commit_no AS change_commit FROM written w SEMI JOIN changes USING (commit_no, event, id) WHERE messages > 1
  UNION ALL
  SELECT CASE WHEN u.commit_no IS NOT NULL THEN 'apart' WHEN e.commit_no IS NOT NULL THEN 'again' ELSE 'untrue' END AS kind,
    w.*, coalesce(u.commit_no, e.commit_no) AS change_commit
  FROM (FROM written ANTI JOIN changes USING (commit_no, event, id)) w LEFT JOIN unsaid u USING (event, id) LEFT JOIN ever e USING (event, id)
)
SELECT kind, event, announces, schema_name, CASE announces WHEN 'customer stored' THEN 'customer' ELSE 'order' END AS about,
  CASE WHEN announces <> 'customer stored' THEN id END AS order_id, customer_id, commit_no, change_commit, messages, message_ids[-1] AS message_id, message_ids,
  messages AS badness
FROM found WHERE kind <> 'untrue' OR announces <> 'credit reserved'  -- I2 judges an answer that grants credit without a reservation
ORDER BY commit_no, event, id;
