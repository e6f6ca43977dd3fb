-- The tables that the invariants read: the evidence under the same names, narrowed to what is judged. The row changes of each kind of thing
-- are a sequence of steps that begins with the starting state (commit_no 0).
--
-- own_customer(id) and own_order(id) are macros: always true if the whole stack is judged, else true for members of the scope.
-- own_topic(name) is true for the application's topics.
CREATE TEMP VIEW all_customers AS SELECT * FROM evidence.main.customers;
CREATE TEMP VIEW all_orders AS SELECT * FROM evidence.main.orders;
CREATE TEMP VIEW customers AS SELECT * FROM evidence.main.customers WHERE own_customer(id);
CREATE TEMP VIEW orders AS SELECT * FROM evidence.main.orders WHERE own_order(id);
CREATE TEMP VIEW reservations AS  -- a reservation over 0.00 holds nothing
  SELECT * FROM evidence.main.reservations WHERE amount <> 0 AND (own_customer(customer_id) OR own_order(order_id));
CREATE TEMP VIEW view_expiry AS SELECT * FROM evidence.main.view_expiry WHERE customer_id IS NULL OR own_customer(customer_id);
CREATE TEMP VIEW view_customers AS SELECT * FROM evidence.main.view_customers WHERE own_customer(id);
CREATE TEMP VIEW view_orders AS SELECT * FROM evidence.main.view_orders WHERE own_customer(customer_id) OR own_order(order_id);
CREATE TEMP VIEW saga_instances AS SELECT * FROM evidence.main.saga_instances WHERE own_order(order_id);

-- Messages about an own order or customer. A message about neither (a dead-letter notice) belongs to every scope.
CREATE TEMP VIEW outbox AS
  SELECT * FROM evidence.main.outbox WHERE own_order(order_id) OR own_customer(customer_id) OR (order_id IS NULL AND customer_id IS NULL);
CREATE TEMP VIEW outbox_inserts AS
  SELECT * FROM evidence.main.outbox_changes
  WHERE op = 'insert' AND (own_order(order_id) OR own_customer(customer_id) OR (order_id IS NULL AND customer_id IS NULL));

-- Records without those that labkit planted, and the first copy of each message: a relay that crashed may publish a message again.
CREATE TEMP VIEW own_records AS
  SELECT r.* FROM evidence.main.records r
  ANTI JOIN evidence.main.planted_records p ON r.topic = p.topic AND r.partition_no = p.partition_no AND r.offset_no = p.offset_no
  WHERE own_order(order_id) OR own_customer(customer_id) OR (order_id IS NULL AND customer_id IS NULL);
CREATE TEMP VIEW first_records AS
  SELECT * FROM own_records WHERE message_id IS NOT NULL
  QUALIFY row_number() OVER (PARTITION BY topic, message_id ORDER BY partition_no, offset_no) = 1;

-- All messages that subscribers may have received, including planted ones, and what each is about.
CREATE TEMP VIEW messages AS
  SELECT message_id, any_value(channel) AS channel, any_value(event) AS event, any_value(order_id) AS order_id, any_value(customer_id) AS customer_id
  FROM (
    SELECT id AS message_id, channel, event, order_id, customer_id FROM evidence.main.outbox
    UNION ALL SELECT message_id, channel, event, order_id, customer_id FROM evidence.main.records WHERE message_id IS NOT NULL
  )
  WHERE own_order(order_id) OR own_customer(customer_id) GROUP BY message_id;

CREATE TEMP VIEW order_steps AS
  SELECT 0 AS commit_no, 0 AS change_no, id AS order_id, customer_id, total, NULL AS state_before, state AS state_after, rejection_reason AS reason_after
  FROM evidence.main.starting_orders WHERE own_order(id)
  UNION ALL
  SELECT commit_no, change_no, id, coalesce(after_customer_id, before_customer_id), coalesce(after_total, before_total),
    before_state, after_state, after_rejection_reason
  FROM evidence.main.order_commits WHERE own_order(id);

CREATE TEMP VIEW customer_steps AS
  SELECT 0 AS commit_no, 0 AS change_no, id AS customer_id, name, NULL::DECIMAL(38,2) AS limit_before, credit_limit AS limit_after,
    false AS exists_before, true AS exists_after
  FROM evidence.main.starting_customers WHERE own_customer(id)
  UNION ALL
  SELECT commit_no, change_no, id, coalesce(after_name, before_name), before_credit_limit, after_credit_limit, op <> 'insert', op <> 'delete'
  FROM evidence.main.customer_commits WHERE own_customer(id);

-- One row for each reservation that was added, removed or changed. A row that moved to another customer or order was removed and added. A
-- reservation over 0.00 counts as none.
CREATE TEMP VIEW reservation_steps AS
  SELECT 0 AS commit_no, 0 AS change_no, customer_id, order_id, NULL::DECIMAL(38,2) AS before, amount AS after
  FROM evidence.main.starting_reservations WHERE own_customer(customer_id) OR own_order(order_id)
  UNION ALL
  SELECT commit_no, change_no, customer_id, order_id, nullif(before_amount, 0), nullif(after_amount, 0)
  FROM evidence.main.reservation_commits
  WHERE (own_customer(customer_id) OR own_order(order_id)) AND nullif(before_amount, 0) IS DISTINCT FROM nullif(after_amount, 0);

-- The additions and removals of single rows, for sums: in a table that has lost its key, two rows of one order count twice.
CREATE TEMP VIEW reservation_moves AS
  SELECT commit_no, customer_id, NULL::DECIMAL(38,2) AS before, after FROM reservation_steps WHERE commit_no = 0
  UNION ALL
  SELECT commit_no, before_customer_id, before_amount, NULL FROM evidence.main.reservation_changes WHERE op <> 'insert'
  UNION ALL
  SELECT commit_no, after_customer_id, NULL, after_amount FROM evidence.main.reservation_changes WHERE op <> 'delete';

CREATE TEMP VIEW inbox_inserts AS
  SELECT i.*, m.event, m.order_id, m.customer_id FROM evidence.main.inbox_commits i JOIN messages m USING (message_id);

-- The state of each customer's credit after each commit that changed it. States within a transaction do not count: nobody else sees them.
CREATE TEMP VIEW credit_states AS
  SELECT customer_id, commit_no, sum(reserved) OVER steps AS reserved, sum(credit) OVER steps AS credit_limit, sum(existing) OVER steps > 0 AS customer_exists,
    lead(commit_no) OVER steps AS next_commit
  FROM (
    SELECT customer_id, commit_no, sum(reserved) AS reserved, sum(credit) AS credit, sum(existing) AS existing
    FROM (
      SELECT customer_id, commit_no, coalesce(after, 0) - coalesce(before, 0) AS reserved, 0 AS credit, 0 AS existing FROM reservation_moves
      WHERE own_customer(customer_id)
      UNION ALL
      SELECT customer_id, commit_no, 0, coalesce(limit_after, 0) - coalesce(limit_before, 0),
        exists_after::INTEGER - exists_before::INTEGER
      FROM customer_steps
    )
    GROUP BY customer_id, commit_no
  )
  WINDOW steps AS (PARTITION BY customer_id ORDER BY commit_no);
