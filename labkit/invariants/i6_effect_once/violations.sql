-- I6 Effect once: each message that a subscriber must react to has its effect exactly once, in the transaction that inserts its inbox row.
--
-- Anomaly: after a crash, the broker delivered the message about order 17 twice. Customers answered twice: first "reserved", then "limit
-- exceeded", because order 17 itself already held 12.34 of 15.00. The inbox row was not inserted in the transaction of the effect.
WITH due AS (  -- messages in the broker that no subscriber parked: a parked message has no effect and is a failure of its own
  SELECT DISTINCT x.subscriber, x.effect, x.event, r.order_id, r.message_id
  FROM records r JOIN reactions x USING (event) SEMI JOIN orders o ON o.id = r.order_id
  WHERE r.message_id IS NOT NULL
    AND NOT EXISTS (FROM dead_letters d WHERE d.subscriber = x.subscriber AND d.message_id = r.message_id)
), received AS (
  SELECT subscriber, message_id, min(commit_no) AS commit_no, count(*) AS n FROM inbox_inserts GROUP BY subscriber, message_id
), effects AS (
  SELECT 'answer' AS effect, order_id, commit_no FROM outbox_inserts
  WHERE event IN (SELECT event FROM message_types WHERE answers IS NOT NULL)
  UNION ALL
  SELECT 'release', order_id, commit_no FROM reservation_steps WHERE before IS NOT NULL AND after IS NULL
  UNION ALL
  SELECT 'decision', order_id, commit_no FROM order_steps WHERE state_before = 'PENDING' AND state_after IN ('APPROVED', 'REJECTED')
), effects_of AS (SELECT effect, order_id, count(*) AS n, list(commit_no ORDER BY commit_no) AS commits FROM effects GROUP BY effect, order_id
), story AS (
  SELECT d.subscriber, d.effect, d.order_id, count(*) AS messages, count(r.message_id) AS known, arg_min(d.event, d.message_id) AS event,
    coalesce(min(d.message_id) FILTER (r.message_id IS NULL), min(d.message_id)) AS message_id,
    min(r.commit_no) AS received_commit, list_sort(list(r.commit_no) FILTER (r.commit_no IS NOT NULL)) AS received_commits,
    any_value(e.n) AS effects, any_value(e.commits) AS effect_commits
  FROM due d LEFT JOIN received r USING (subscriber, message_id) LEFT JOIN effects_of e ON e.effect = d.effect AND e.order_id = d.order_id
  GROUP BY d.subscriber, d.effect, d.order_id
), held_before AS (  -- a release without a reservation correctly changes nothing
  SELECT s.order_id, sum(coalesce(after, 0) - coalesce(before, 0)) AS held
  FROM story s JOIN reservation_steps p ON p.order_id = s.order_id AND p.commit_no < s.received_commit WHERE s.effect = 'release' GROUP BY s.order_id
)
SELECT
  CASE
    WHEN known = 0 AND effects IS NULL THEN 'never_taken'
    WHEN effects > messages THEN 'twice'
    WHEN effects IS NULL THEN 'no_effect'
    ELSE 'effect_outside'
  END AS kind,
  s.order_id, o.customer_id, o.total, s.subscriber, s.effect, s.event, s.message_id, s.received_commit, s.messages, coalesce(effects, 0) AS effects,
  effect_commits[1] AS commit_no, effect_commits, coalesce(effects, 0) AS badness
FROM story s JOIN orders o ON o.id = s.order_id LEFT JOIN held_before h ON h.order_id = s.order_id
WHERE (known = 0 AND effects IS NULL)
  OR effects > messages
  OR (effects IS NULL AND CASE effect
        WHEN 'answer' THEN true
        WHEN 'release' THEN h.held > 0
        ELSE o.state = 'PENDING'
      END)
  OR (effects IS NOT NULL AND len(list_intersect(effect_commits, coalesce(received_commits, []))) = 0
      AND (effect <> 'release' OR h.held > 0 OR known = 0))
ORDER BY coalesce(effect_commits[1], received_commit), s.order_id, s.effect;
