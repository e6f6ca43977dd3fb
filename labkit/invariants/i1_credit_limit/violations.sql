-- I1 Credit limit: after every commit, a customer's reservations add up to at most the customer's limit.
--
-- Anomaly: customer 4 may spend 15.00. Two orders of 10.00 each are checked at the same time. Both checks see 15.00 free, and both orders
-- get their reservation, so 20.00 is held. A moment later one order is cancelled and all tables look right again. Only the row changes show
-- it.
WITH over AS (
  SELECT *, coalesce(lag(next_commit) OVER (PARTITION BY customer_id ORDER BY commit_no) = commit_no, false) AS goes_on
  FROM credit_states WHERE reserved > credit_limit
), spells AS (  -- consecutive commits over the limit are one violation
  SELECT *, sum(CASE WHEN goes_on THEN 0 ELSE 1 END) OVER (PARTITION BY customer_id ORDER BY commit_no) AS spell FROM over
), by_tables AS (  -- without the row changes, the tables can prove a violation but cannot rule one out
  SELECT c.id AS customer_id, c.credit_limit, sum(r.amount) AS reserved FROM customers c JOIN reservations r ON r.customer_id = c.id
  WHERE NOT coalesce((SELECT complete FROM completeness WHERE source = 'binlog'), false) GROUP BY c.id, c.credit_limit HAVING sum(r.amount) > c.credit_limit
)
SELECT 'over' AS kind, customer_id, min(commit_no) AS commit_no, arg_max(commit_no, reserved - credit_limit) AS worst_commit,
  CASE WHEN bool_and(next_commit IS NOT NULL) THEN max(next_commit) END AS until_commit,
  arg_max(credit_limit, reserved - credit_limit) AS credit_limit, arg_max(reserved, reserved - credit_limit) AS reserved,
  max(reserved - credit_limit) AS badness
FROM spells GROUP BY customer_id, spell
UNION ALL
SELECT 'over_now', customer_id, NULL, NULL, NULL, credit_limit, reserved, reserved - credit_limit FROM by_tables
ORDER BY commit_no, customer_id;
