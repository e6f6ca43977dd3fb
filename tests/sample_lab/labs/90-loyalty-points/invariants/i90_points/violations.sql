-- I90 Points: each approved order earns one point for each whole unit of its total.
--
-- Anomaly: order 17 (12.34) earned 13 points. Loyalty rounded up.
SELECT CASE WHEN p.order_id IS NULL THEN 'none' ELSE 'wrong' END AS kind, o.id AS order_id, o.customer_id, o.total, p.points,
  floor(o.total)::BIGINT AS expected, 0 AS badness
FROM orders o LEFT JOIN points p ON p.order_id = o.id
WHERE o.state = 'APPROVED' AND p.points IS DISTINCT FROM floor(o.total)::BIGINT
ORDER BY o.id;
