-- Orders, and requests to create one.
SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM requests WHERE operation = 'create_order');
