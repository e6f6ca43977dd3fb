-- I90 Points: each approved order earns one point for each whole unit of its total.
--
-- Anomaly: order 17 (12.34) earned 13 points. Loyalty rounded up.
SELECT CASE WHEN p.order_id IS NULL THEN 'none' WHEN p.customer_id <> o.customer_id THEN 'astray' ELSE 'wrong' END AS kind, o.id AS order_id,
  o.customer_id, o.total, p.points, p.customer_id AS given_to, floor(o.total)::BIGINT AS expected, 0 AS badness
FROM orders o LEFT JOIN points p ON p.order_id = o.id
WHERE o.state = 'APPROVED' AND (p.points IS DISTINCT FROM floor(o.total)::BIGINT OR p.customer_id <> o.customer_id)
ORDER BY o.id;
