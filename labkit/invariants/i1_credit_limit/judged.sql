-- Customers with a reservation, now or ever.
SELECT count(DISTINCT customer_id) FROM (SELECT customer_id FROM reservation_steps UNION ALL SELECT customer_id FROM reservations);
