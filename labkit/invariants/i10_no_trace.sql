-- I10 Rolled-back work leaves no trace: every message is about an order or a customer that exists.
--
-- Anomaly: Kafka holds OrderCreated of order 17, and there is no order 17. The Order service sent the event first and then failed to commit
-- the row; customers has already reserved credit for an order that never was.
-- (CustomerValidationFailed is about a customer who does not exist, by definition; there, the order must exist.)
WITH told AS (
  SELECT message_id, event, channel, order_id, customer_id, 'Kafka' AS place, partition_no, offset_no FROM own_records WHERE message_id IS NOT NULL
  UNION ALL
  SELECT id, event, channel, order_id, customer_id, schema_name || '.message', NULL, NULL FROM outbox
), orders_ever AS (SELECT id FROM all_orders UNION SELECT order_id FROM order_steps),
  customers_ever AS (SELECT id FROM all_customers UNION SELECT customer_id FROM customer_steps)
SELECT CASE WHEN channel = 'Order' OR event = 'CustomerValidationFailed' THEN 'no_order' ELSE 'no_customer' END AS kind, message_id,
  any_value(event) AS event, any_value(order_id) AS order_id, any_value(customer_id) AS customer_id, any_value(channel) AS channel,
  min(partition_no) AS partition_no, min(offset_no) AS offset_no, bool_or(place <> 'Kafka') AS in_outbox, 0 AS badness
FROM told
WHERE CASE
        WHEN channel = 'Order' OR event = 'CustomerValidationFailed' THEN order_id NOT IN (FROM orders_ever)
        WHEN channel = 'Customer' THEN customer_id NOT IN (FROM customers_ever)
        ELSE false
      END
GROUP BY kind, message_id ORDER BY message_id;

-- Messages about an order or a customer.
SELECT count(*) FROM (SELECT message_id FROM own_records WHERE channel IN ('Order', 'Customer') UNION SELECT id FROM outbox WHERE channel IN ('Order', 'Customer'));
