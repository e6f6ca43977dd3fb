-- The timeline of a run: what happened when, in which lane, and to which order or customer. Each lane has its own clock.
SELECT started AS seen, 'client' AS lane, 'client' AS kind, operation || ' ' || coalesce(total::VARCHAR || ' ', '') || '→ ' || outcome AS text, order_id, customer_id
FROM requests
UNION ALL
SELECT t.committed, 'orders', 'write',
  'order ' || c.id || ' ' || coalesce(c.before_state || ' → ', '') || coalesce(c.after_state, 'deleted'),
  c.id, coalesce(c.after_customer_id, c.before_customer_id)
FROM order_commits c JOIN transactions t USING (commit_no)
UNION ALL
SELECT t.committed, 'customers', 'write',
  CASE op
    WHEN 'insert' THEN after_amount || ' reserved for order ' || order_id
    WHEN 'delete' THEN before_amount || ' of order ' || order_id || ' released'
    ELSE 'reservation of order ' || order_id || ' ' || before_amount || ' → ' || after_amount
  END,
  order_id, customer_id
FROM reservation_commits JOIN transactions t USING (commit_no)
UNION ALL
SELECT t.committed, 'customers', 'write', 'customer ' || id || ' may spend ' || after_credit_limit, NULL, id
FROM customer_commits JOIN transactions t USING (commit_no) WHERE op <> 'delete'
UNION ALL
SELECT created,
  coalesce(
    (SELECT any_value(m.sender) FROM message_types m WHERE m.schema_name = o.schema_name),
    (SELECT any_value(t.component) FROM observed_tables t WHERE t.schema_name = o.schema_name),
    o.schema_name
  ),
  'event', coalesce(event, 'message') || ' written',
  order_id, customer_id
FROM outbox o
UNION ALL
SELECT appended, 'relay', 'record', coalesce(event, 'no message') || ' published', order_id, customer_id FROM records
UNION ALL
SELECT appended, (SELECT title FROM servers WHERE is_broker) || ' ' || channel || ' ' || partition_no, 'record',
  coalesce(event, 'no message') || ', ' || position_words(offset_no), order_id, customer_id
FROM records
UNION ALL
SELECT i.received, coalesce((SELECT any_value(s.component) FROM subscriptions s WHERE s.subscriber = i.subscriber), i.subscriber),
  'received', 'received ' || coalesce(o.event, i.message_id),
  o.order_id, o.customer_id
FROM inbox i LEFT JOIN outbox o ON o.id = i.message_id
UNION ALL
SELECT CAST((SELECT value FROM facts WHERE name = 'ended') AS TIMESTAMP), 'view', 'view', 'at the end the view shows ' || coalesce(state, 'no state'), order_id, customer_id
FROM view_orders;
