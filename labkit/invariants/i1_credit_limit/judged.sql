-- Customers who have, or once had, a reservation.
SELECT count(DISTINCT customer_id) FROM (SELECT customer_id FROM reservation_steps UNION ALL SELECT customer_id FROM reservations);
