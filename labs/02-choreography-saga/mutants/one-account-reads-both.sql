-- Somebody "solved" a join with a grant.
GRANT SELECT ON order_db.* TO 'customer_service'@'%';
-- undo
REVOKE SELECT ON order_db.* FROM 'customer_service'@'%';
