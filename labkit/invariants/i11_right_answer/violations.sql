-- I11 Right answer, right cause: credit is granted when it is available and refused when it is not, as of the deciding commit. An order
-- leaves PENDING in the transaction that records the message with that answer as received.
--
-- Anomaly: customer 4 may spend 15.00 and nothing is reserved. Order 17 (12.34) is refused for lack of credit because customers compared
-- with the wrong sign. All tables agree with each other. Only the question "was that answer right at that moment?" finds the error.
--
-- One transaction may decide several orders of a customer. It is right if some sequence of the orders explains all answers: the granted
-- orders fit together into the free credit, and a refused order does not fit in addition.
--
-- A refusal may have read the credit before another transaction released some, or created the customer, and commit after it. A refusal is
-- therefore wrong only if it was wrong at all times since the order was created.
WITH totals AS (SELECT order_id, arg_min(total, commit_no) AS total, min(commit_no) AS made FROM order_steps GROUP BY order_id
), answers AS (
  SELECT a.commit_no, a.order_id, a.customer_id, a.event, m.answers AS answer, m.schema_name, t.total, t.made
  FROM outbox_inserts a JOIN totals t USING (order_id) JOIN message_types m USING (event)
  WHERE m.answers IS NOT NULL AND own_order(a.order_id)
), commits AS (
  SELECT a.commit_no, a.customer_id, coalesce(sum(total) FILTER (answer = 'granted'), 0) AS granted, count(*) AS together
  FROM answers a GROUP BY a.commit_no, a.customer_id
), freed AS (
  SELECT commit_no, customer_id, sum(before - coalesce(after, 0)) AS freed FROM reservation_steps WHERE before IS NOT NULL GROUP BY commit_no, customer_id
), steps AS (  -- the states of each customer's credit, and the commits that decide about it, in one sequence
  SELECT customer_id, commit_no, reserved, credit_limit, customer_exists, NULL AS granted, NULL AS together FROM credit_states
  UNION ALL
  SELECT customer_id, commit_no, NULL, NULL, NULL, granted, together FROM commits
), at_commit AS (
  SELECT s.*, coalesce(f.freed, 0) AS freed, s.credit_limit - s.reserved AS free
  FROM (
    SELECT customer_id, commit_no, granted, together, last_value(reserved IGNORE NULLS) OVER before AS reserved,
      last_value(credit_limit IGNORE NULLS) OVER before AS credit_limit, coalesce(last_value(customer_exists IGNORE NULLS) OVER before, false) AS existed,
      coalesce(last_value(customer_exists IGNORE NULLS) OVER after, false) AS exists_after
    FROM steps
    WINDOW before AS (PARTITION BY customer_id ORDER BY commit_no RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
      after AS (PARTITION BY customer_id ORDER BY commit_no RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  ) s LEFT JOIN freed f ON f.commit_no = s.commit_no AND f.customer_id = s.customer_id
  WHERE s.together IS NOT NULL
), since_made AS (  -- the smallest free amount between an order's creation and its refusal, and whether the customer existed all that time
  SELECT a.order_id, a.commit_no, min(s.credit_limit - s.reserved) AS least_free,
    bool_and(s.customer_exists) AND min(s.commit_no) <= a.made AS always
  FROM answers a JOIN credit_states s ON s.customer_id = a.customer_id AND s.commit_no < a.commit_no AND coalesce(s.next_commit > a.made, true)
  WHERE a.answer <> 'granted'
  GROUP BY a.order_id, a.commit_no, a.made
), judged AS (
  SELECT a.*, c.granted, c.together, c.credit_limit, c.reserved, c.free,
    CASE a.answer
      WHEN 'unknown customer' THEN CASE WHEN c.existed AND coalesce(s.always, true) THEN 'unknown_though_there' END
      WHEN 'granted' THEN
        CASE WHEN NOT c.existed AND NOT c.exists_after THEN 'granted_to_nobody' WHEN c.granted > c.free + c.freed THEN 'granted_though_short' END
      ELSE CASE WHEN NOT c.existed AND NOT c.exists_after THEN 'refused_for_nobody'
        WHEN a.total <= coalesce(s.least_free, c.free) - c.granted THEN 'refused_though_free' END
    END AS kind
  FROM answers a JOIN at_commit c USING (commit_no, customer_id) LEFT JOIN since_made s USING (order_id, commit_no)
), decisions AS (
  SELECT order_id, customer_id, total, commit_no, state_after AS state, reason_after AS reason,
    (SELECT list(m.event) FROM message_types m WHERE m.state = state_after AND coalesce(m.rejection_reason = reason_after, m.rejection_reason IS NULL)) AS wanted
  FROM order_steps WHERE state_before = 'PENDING' AND state_after IN ('APPROVED', 'REJECTED')
), causes AS (
  SELECT commit_no, order_id, list(event ORDER BY event) AS events, any_value(message_id) AS message_id FROM inbox_inserts
  WHERE event IN (SELECT event FROM message_types WHERE answers IS NOT NULL) GROUP BY commit_no, order_id
)
SELECT kind, commit_no, order_id, customer_id, total, event AS answer, schema_name, NULL AS state, NULL AS reason, credit_limit, reserved, free, granted, together,
  NULL AS message_id,
  abs(coalesce(total - free, total)) AS badness
FROM judged WHERE kind IS NOT NULL
UNION ALL
SELECT CASE WHEN c.events IS NULL THEN 'no_cause' ELSE 'wrong_cause' END, d.commit_no, d.order_id, d.customer_id, d.total, c.events[1], NULL, d.state, d.reason,
  NULL, NULL, NULL, NULL, NULL, c.message_id, d.total
FROM decisions d LEFT JOIN causes c ON c.commit_no = d.commit_no AND c.order_id = d.order_id
WHERE c.events IS NULL OR d.wanted IS NULL OR NOT list_has_any(c.events, d.wanted)
ORDER BY commit_no, order_id, kind;
