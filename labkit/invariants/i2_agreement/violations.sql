-- I2 Agreement: an order is APPROVED exactly when its customer holds one reservation of the same amount for it.
--
-- Anomaly: order 17 (12.34) is REJECTED, yet customer 4 still holds 12.34 for it. Orders treated a time-out as a "no", and the reservation
-- that came later was never released.
WITH held AS (
  SELECT order_id, count(*) AS n, min(customer_id) AS holder, max(customer_id) AS last_holder, sum(amount) AS reserved FROM reservations GROUP BY order_id
)
SELECT
  CASE
    WHEN o.id IS NULL THEN 'no_order'
    WHEN o.state <> 'APPROVED' THEN 'kept'
    WHEN h.n IS NULL THEN 'not_held'
    WHEN h.n > 1 THEN 'twice'
    WHEN h.holder IS DISTINCT FROM o.customer_id THEN 'wrong_customer'
    ELSE 'wrong_amount'
  END AS kind,
  coalesce(o.id, h.order_id) AS order_id, coalesce(o.customer_id, h.holder) AS customer_id, o.state, o.total,
  h.n AS holders, h.holder, h.last_holder, h.reserved, abs(coalesce(h.reserved, 0) - CASE WHEN o.state = 'APPROVED' THEN o.total ELSE 0 END) AS badness
FROM orders o FULL JOIN held h ON h.order_id = o.id
WHERE CASE o.state
        WHEN 'APPROVED' THEN h.n IS DISTINCT FROM 1 OR h.holder IS DISTINCT FROM o.customer_id OR h.reserved IS DISTINCT FROM o.total
        WHEN 'PENDING' THEN false  -- between two steps both are right; I3 judges orders that stay PENDING
        ELSE h.n IS NOT NULL
      END
ORDER BY coalesce(o.id, h.order_id);
