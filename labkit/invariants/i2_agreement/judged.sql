-- Orders that are no longer PENDING, and reservations.
SELECT (SELECT count(*) FROM orders WHERE state <> 'PENDING') + (SELECT count(*) FROM reservations ANTI JOIN orders ON orders.id = reservations.order_id);
