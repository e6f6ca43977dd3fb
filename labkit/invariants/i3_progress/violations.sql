-- I3 Progress: every accepted order exists once, as it was requested, and comes to an end.
--
-- Anomaly: the request for order 17 was answered with 200. The order is PENDING, and no message is left that could move it. Orders wrote
-- the row and crashed before it wrote the message, so no other service ever heard of the order.
WITH placed AS (  -- (customer, total) is unique in a scenario, so it identifies an order even if the request got no answer
  SELECT r.id AS request_id, r.outcome, r.order_id, r.customer_id, r.total, o.id AS found_id, o.customer_id AS found_customer, o.total AS found_total
  FROM requests r LEFT JOIN orders o ON o.id = r.order_id WHERE r.operation = 'create_order'
), alike AS (
  SELECT p.request_id, count(o.id) AS n, min(o.id) AS first_id, max(o.id) AS last_id
  FROM placed p JOIN orders o ON o.customer_id = p.customer_id AND o.total = p.total GROUP BY p.request_id
), cancelled AS (
  SELECT r.order_id, bool_or(r.outcome = 'ok') AS was_accepted, bool_or(r.outcome <> 'refused') AS was_asked
  FROM requests r WHERE r.operation = 'cancel_order' GROUP BY r.order_id
)
SELECT 'pending' AS kind, o.id AS order_id, o.customer_id, o.total, NULL::BIGINT AS request_id, NULL::BIGINT AS other_id, NULL AS saga, o.state, NULL AS schema_name, o.total AS badness
FROM orders o WHERE o.state NOT IN ('APPROVED', 'REJECTED', 'CANCELLED') AND o.id NOT IN (SELECT order_id FROM expected_pending)
UNION ALL
SELECT 'saga_open', order_id, NULL, NULL, NULL, NULL, saga_id, state_name, schema_name, 0 FROM saga_instances
WHERE NOT end_state AND coalesce(order_id, -1) NOT IN (SELECT order_id FROM expected_pending)
UNION ALL
SELECT 'lost', p.order_id, p.customer_id, p.total, p.request_id, NULL, NULL, NULL, NULL, p.total FROM placed p WHERE outcome = 'ok' AND found_id IS NULL
UNION ALL
SELECT 'altered', p.order_id, p.customer_id, p.total, p.request_id, p.found_customer, NULL, p.found_total::VARCHAR, NULL, abs(p.total - p.found_total)
FROM placed p WHERE outcome = 'ok' AND (found_customer <> customer_id OR found_total <> total)
UNION ALL
SELECT 'twice', a.first_id, p.customer_id, p.total, p.request_id, a.last_id, NULL, NULL, NULL, p.total
FROM placed p JOIN alike a USING (request_id)
WHERE a.n > (SELECT count(*) FROM placed q WHERE q.customer_id = p.customer_id AND q.total = p.total AND q.outcome <> 'refused') AND p.outcome <> 'refused'
UNION ALL
SELECT 'refused_but_there', a.first_id, p.customer_id, p.total, p.request_id, NULL, NULL, NULL, NULL, p.total
FROM placed p JOIN alike a USING (request_id)
WHERE p.outcome = 'refused' AND NOT EXISTS (FROM placed q WHERE q.customer_id = p.customer_id AND q.total = p.total AND q.outcome <> 'refused')
UNION ALL
SELECT 'not_cancelled', o.id, o.customer_id, o.total, NULL, NULL, NULL, o.state, NULL, o.total
FROM cancelled c JOIN orders o ON o.id = c.order_id WHERE c.was_accepted AND o.state NOT LIKE 'CANCEL%'
UNION ALL
SELECT 'cancelled_unasked', o.id, o.customer_id, o.total, NULL, NULL, NULL, o.state, NULL, o.total
FROM orders o WHERE o.state = 'CANCELLED' AND EXISTS (FROM placed) AND o.id NOT IN (SELECT order_id FROM cancelled WHERE was_asked)
ORDER BY order_id, kind;
