-- I9 Saga and order agree: when a saga has ended, its order has too, and the saga compensated exactly when the order is REJECTED.
--
-- Anomaly: the saga of order 17 ended without compensating, and the order is REJECTED. The orchestrator took the participant's "no" for a
-- "yes".
SELECT
  CASE
    WHEN s.failed THEN 'failed'
    WHEN o.id IS NULL THEN 'no_order'
    WHEN o.state = 'PENDING' THEN 'ended_too_early'
    WHEN s.compensating THEN 'compensated_but_approved'
    ELSE 'rejected_uncompensated'
  END AS kind, s.order_id, o.customer_id, o.total, o.state, s.schema_name, s.saga_type, s.saga_id, s.compensating, s.failed,
  0 AS badness
FROM saga_instances s LEFT JOIN orders o ON o.id = s.order_id
WHERE s.failed OR (s.end_state AND (o.id IS NULL OR o.state = 'PENDING' OR s.compensating <> (o.state = 'REJECTED')))
ORDER BY s.order_id, s.saga_id;
