-- Messages about an order or a customer.
SELECT count(*) FROM (
  SELECT message_id FROM own_records WHERE channel IN (SELECT channel FROM channels)
  UNION SELECT id FROM outbox WHERE channel IN (SELECT channel FROM channels)
);
