-- Approved orders.
SELECT count(*) FROM orders WHERE state = 'APPROVED';
