-- I7 View: the order history shows each customer as the owners' tables hold them: name, limit, every order with its total and state.
--
-- Anomaly: the history of customer 4 shows order 17 as PENDING, but in the table of orders it is APPROVED. The view processed the approval
-- first. The message about the creation came late, and the view then overwrote the state with PENDING.
WITH wanted AS (  -- no view is expected in a profile where no component writes one
    SELECT id FROM (SELECT id FROM customers UNION SELECT customer_id FROM orders) WHERE EXISTS (FROM subscriptions JOIN servers ON servers.component = subscriptions.store WHERE is_view)
  ),
  shown AS (SELECT id FROM view_customers UNION SELECT customer_id FROM view_orders),
  pairs AS (
    SELECT coalesce(o.customer_id, v.customer_id) AS customer_id, coalesce(o.id, v.order_id) AS order_id, o.id, v.order_id AS shown_id,
      o.state, o.total, v.state AS shown_state, v.total AS shown_total, v.total_text
    FROM orders o FULL JOIN view_orders v ON v.order_id = o.id AND v.customer_id = o.customer_id
  )
SELECT 'no_view' AS kind, id AS customer_id, NULL::BIGINT AS order_id, 'a view' AS expected, 'none' AS found, 3 AS badness
FROM wanted WHERE id NOT IN (SELECT id FROM shown)
UNION ALL
SELECT 'extra_view', id, NULL, 'none', 'a view', 3 FROM shown WHERE id NOT IN (SELECT id FROM wanted)
UNION ALL
SELECT 'name', c.id, NULL, c.name, v.name, 1 FROM customers c JOIN view_customers v USING (id) WHERE c.name IS DISTINCT FROM v.name
UNION ALL
SELECT 'limit', c.id, NULL, c.credit_limit::VARCHAR, v.credit_limit_text, 1 FROM customers c JOIN view_customers v USING (id)
WHERE c.credit_limit IS DISTINCT FROM v.credit_limit
UNION ALL
SELECT 'not_listed', v.id, NULL, 'in the list of all views', 'not in it', 1 FROM view_customers v WHERE NOT v.listed AND v.id IN (FROM wanted)
UNION ALL
SELECT 'no_order', customer_id, order_id, state, 'nothing', 2 FROM pairs WHERE shown_id IS NULL AND customer_id IN (SELECT id FROM shown)
UNION ALL
SELECT 'extra_order', customer_id, order_id, 'nothing', coalesce(shown_state, total_text), 2 FROM pairs WHERE id IS NULL AND customer_id IN (FROM wanted)
UNION ALL
SELECT 'state', customer_id, order_id, state, coalesce(shown_state, 'no state'), 2 FROM pairs
WHERE id IS NOT NULL AND shown_id IS NOT NULL AND state IS DISTINCT FROM shown_state
UNION ALL
SELECT 'total', customer_id, order_id, total::VARCHAR, coalesce(total_text, 'no total'), 2 FROM pairs
WHERE id IS NOT NULL AND shown_id IS NOT NULL AND total IS DISTINCT FROM shown_total
UNION ALL
SELECT 'expires', customer_id, NULL, key, CASE WHEN seconds < 1 THEN 'less than a second' ELSE round(seconds)::BIGINT || ' s' END, 1 FROM view_expiry
ORDER BY customer_id, order_id NULLS FIRST, kind;
