-- I8 Legal transitions: an order starts as PENDING, becomes APPROVED or REJECTED once, and only an APPROVED order becomes CANCELLED.
--
-- Anomaly: order 17 was cancelled before the answer about its credit arrived, and then became APPROVED: CANCELLED → APPROVED. The handler
-- wrote the new state without checking the old one.
SELECT CASE WHEN state_before IS NULL THEN 'born' WHEN state_after IS NULL THEN 'removed' ELSE 'illegal' END AS kind,
  order_id, customer_id, total, commit_no, state_before, state_after, 0 AS badness
FROM order_steps
WHERE commit_no > 0 AND state_before IS DISTINCT FROM state_after
  AND (coalesce(state_before, 'nothing'), coalesce(state_after, 'nothing')) NOT IN (
    ('nothing', 'PENDING'), ('PENDING', 'APPROVED'), ('PENDING', 'REJECTED'),
    ('APPROVED', 'CANCELLED'), ('APPROVED', 'CANCEL_PENDING'), ('CANCEL_PENDING', 'CANCELLED'), ('CANCEL_PENDING', 'APPROVED')
  )
ORDER BY commit_no, order_id;
