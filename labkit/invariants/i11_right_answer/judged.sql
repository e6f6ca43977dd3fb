-- Answers about credit, and orders that received one.
SELECT (SELECT count(*) FROM outbox_inserts WHERE event IN (SELECT event FROM message_types WHERE answers IS NOT NULL))
  + (SELECT count(*) FROM order_steps WHERE state_before = 'PENDING' AND state_after <> 'PENDING');
