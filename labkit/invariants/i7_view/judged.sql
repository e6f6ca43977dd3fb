-- Customers who have a view or should have one.
SELECT count(*) FROM (
  SELECT id FROM (SELECT id FROM customers UNION SELECT customer_id FROM orders)
  WHERE EXISTS (FROM subscriptions JOIN servers ON servers.component = subscriptions.store WHERE is_view)
  UNION SELECT id FROM view_customers
);
