-- I13 As agreed: each message says what is agreed for its type: the order's customer and total, the key, and the channel.
--
-- Anomaly: order 17 is of customer 4, and the message that it was refused names customer 17. Today nobody reads that field; the first
-- subscriber that does will tell the wrong customer.
WITH found AS (
  SELECT o.id AS message_id, o.event, o.channel, o.topic, o.schema_name, o.key, o.aggregate_id, o.order_id, o.customer_id, o.total,
    m.channel AS agreed_channel, m.kind AS message_kind, c.about, s.customer_id AS orders_customer, s.total AS orders_total
  FROM outbox o JOIN message_types m USING (event) LEFT JOIN channels c ON c.channel = m.channel
    LEFT JOIN (SELECT order_id, arg_min(customer_id, commit_no) AS customer_id, arg_min(total, commit_no) AS total FROM order_steps GROUP BY order_id) s
      ON s.order_id = o.order_id
), wrong AS (
  SELECT *, CASE
    WHEN message_kind = 'event' AND channel IS DISTINCT FROM agreed_channel THEN 'channel'
    WHEN customer_id <> orders_customer THEN 'customer'
    WHEN total <> orders_total THEN 'total'
    WHEN message_kind = 'event' AND about IS NOT NULL AND key IS DISTINCT FROM aggregate_id::VARCHAR THEN 'key'
  END AS kind
  FROM found
)
SELECT kind, message_id, event, about, channel, coalesce(channel, topic) AS place, agreed_channel, schema_name, key, aggregate_id, order_id,
  customer_id, total, orders_customer, orders_total, 0 AS badness
FROM wrong WHERE kind IS NOT NULL ORDER BY message_id;
