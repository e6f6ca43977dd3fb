-- I10 Rolled-back work leaves no trace: every message is about an order or a customer that exists.
--
-- Anomaly: the broker holds a message about order 17, and there is no order 17. Orders sent the message first and then failed to commit the
-- row. Customers has already reserved credit for an order that never existed. (An answer "unknown customer" is about no customer by
-- definition, so its order must exist. Commands and replies are always about an order.)
WITH subjects AS (
  SELECT t.event, t.channel, CASE WHEN c.about IS NULL OR t.answers = 'unknown customer' THEN 'order' ELSE c.about END AS about
  FROM message_types t JOIN channels c USING (channel)
), found AS (
  SELECT message_id, event, channel, order_id, customer_id, partition_no, offset_no, false AS in_outbox FROM own_records WHERE message_id IS NOT NULL
  UNION ALL
  SELECT id, event, channel, order_id, customer_id, NULL, NULL, true FROM outbox
), messages_about AS (  -- a message of unknown type is about the subject of its channel
  SELECT f.*, coalesce(s.about, c.about) AS about
  FROM found f LEFT JOIN subjects s USING (event, channel) LEFT JOIN channels c ON c.channel = f.channel
), orders_ever AS (SELECT id FROM all_orders UNION SELECT order_id FROM order_steps),
  customers_ever AS (SELECT id FROM all_customers UNION SELECT customer_id FROM customer_steps)
SELECT CASE about WHEN 'order' THEN 'no_order' ELSE 'no_customer' END AS kind, message_id,
  any_value(event) AS event, any_value(order_id) AS order_id, any_value(customer_id) AS customer_id, any_value(channel) AS channel,
  min(partition_no) AS partition_no, min(offset_no) AS offset_no, bool_or(in_outbox) AS in_outbox, 0 AS badness
FROM messages_about
WHERE (about = 'order' AND order_id NOT IN (FROM orders_ever)) OR (about = 'customer' AND customer_id NOT IN (FROM customers_ever))
GROUP BY kind, message_id ORDER BY message_id;
