-- Every store of a run, side by side. Money is DECIMAL(38,2) as in the services' tables, ids are BIGINT. Times are UTC; the precision is in
-- each column's comment or in a column. Events and channels have their short names; the wire has longer ones.

-- What this file is and how it was made: one value for each name.
CREATE TABLE facts (
  name VARCHAR,                 -- format, run, stack, runtime, labkit, seed, started, ended, mysql_kind, mysql_version, finished, …
  value VARCHAR                 -- as text; structures as JSON
);

-- The servers that the services share, from the profile.
CREATE TABLE servers (
  component VARCHAR,            -- the server's name: mysql
  title VARCHAR,                -- the server's name in a sentence: MySQL
  is_database BOOLEAN,          -- holds the services' tables
  is_broker BOOLEAN,            -- carries the messages
  is_view BOOLEAN               -- holds the view
);

-- The origin of the services' tables that this file holds under names of its own.
CREATE TABLE observed_tables (
  name VARCHAR,                 -- name in this file: customers, orders, reservations
  schema_name VARCHAR,          -- the database schema
  table_name VARCHAR,           -- name in the database
  component VARCHAR             -- the service that owns the table
);

-- The broker's channels between the components, from the profile.
CREATE TABLE channels (
  topic VARCHAR,                -- full name
  channel VARCHAR,              -- short name: Order, Customer
  about VARCHAR                 -- the kind of aggregate whose id is the message key: order, customer; NULL: another key
);

-- The subscribers and the channels that they take.
CREATE TABLE subscriptions (
  subscriber VARCHAR,           -- the group on the broker, and consumer_id in the inbox
  component VARCHAR,            -- the component that subscribes
  topic VARCHAR,                -- a channel that the subscriber takes
  store VARCHAR,                -- where the subscriber records what it has taken: a schema, or redis
  dead_letters VARCHAR          -- the topic on which the subscriber reports the messages that it gave up
);

-- The types of messages: events, commands and replies.
CREATE TABLE message_types (
  event VARCHAR,                -- as in outbox
  kind VARCHAR,                 -- event, command, reply
  channel VARCHAR,              -- as in outbox
  sender VARCHAR,               -- the component that sends it
  schema_name VARCHAR,          -- the schema of the sender's outbox
  announces VARCHAR,            -- the change that the message announces: order stored, order approved, credit reserved, …; NULL: none
  answers VARCHAR,              -- the answer about an order's credit that the message carries: granted, refused, unknown customer; NULL: none
  state VARCHAR,                -- the state of an order after that answer
  rejection_reason VARCHAR      -- the rejection reason of an order after that answer
);

-- The fields that a message's payload must have.
CREATE TABLE message_fields (
  event VARCHAR,                -- see message_types
  field VARCHAR,                -- path in the payload: orderDetails.customerId
  form VARCHAR                  -- number, money, text
);

-- What a subscriber must do when it takes a message: the effect, once, in the transaction that inserts the message's inbox row.
CREATE TABLE reactions (
  subscriber VARCHAR,           -- see subscriptions
  component VARCHAR,            -- see subscriptions
  schema_name VARCHAR,          -- the schema of the subscriber's inbox
  event VARCHAR,                -- the message that is taken
  effect VARCHAR                -- answer, decision, release
);

-- Which sources were read completely. A source without a row was not read.
CREATE TABLE completeness (
  source VARCHAR,               -- rest, tables, binlog, records, groups, view, faults, environment, moment (everything was read while nothing moved)
  complete BOOLEAN,             -- false: the data is correct, but some is or may be missing
  reason VARCHAR,               -- why it is incomplete: a sentence without a full stop
  component VARCHAR             -- the component that prevented the reading: mysql, the broker, redis, labkit; NULL: none
);

-- The scenario's own REST calls.
CREATE TABLE requests (
  id BIGINT,                    -- in the order in which the calls started
  operation VARCHAR,            -- create_customer, create_order, cancel_order, or another name for a read
  method VARCHAR,               -- GET, POST, …
  path VARCHAR,                 -- as sent, without host
  body VARCHAR,                 -- JSON as sent; NULL: none
  status INTEGER,               -- HTTP status; NULL: no answer
  outcome VARCHAR,              -- ok (2xx), refused (4xx: it did not happen), unknown (5xx or no answer: it may have happened)
  customer_id BIGINT,           -- the customer that was created or named
  order_id BIGINT,              -- the order that was created or named; NULL when the outcome is unknown
  customer_name VARCHAR,        -- create_customer: the name
  credit_limit DECIMAL(38,2),   -- create_customer: the limit
  total DECIMAL(38,2),          -- create_order: the total; (customer_id, total) is unique in a scenario
  answer VARCHAR,               -- the body of the answer, or the error
  started TIMESTAMP,            -- labkit's clock, microseconds
  ended TIMESTAMP               -- labkit's clock, microseconds
);

-- The `message` tables (transactional outboxes) of all services, read at one moment.
CREATE TABLE outbox (
  schema_name VARCHAR,          -- the service's schema
  id VARCHAR,                   -- the message id, which sorts by time within one service instance
  topic VARCHAR,                -- message.destination: full name
  channel VARCHAR,              -- short name of the topic: Order, Customer
  key VARCHAR,                  -- header PARTITION_ID: the record's key
  event_type VARCHAR,           -- header event-type, command_type or reply_type: full name; NULL: none of these
  event VARCHAR,                -- the short name, as in message_types
  aggregate_id BIGINT,          -- header event-aggregate-id; NULL when it is not a number
  order_id BIGINT,              -- the order concerned: the aggregate's id on Order, else orderId of the payload; for a reply, that of its command
  customer_id BIGINT,           -- the customer concerned: the aggregate's id on Customer, else customerId of the payload; for a reply, that of its command
  total DECIMAL(38,2),          -- orderTotal.amount of the payload, inside orderDetails or at the top; NULL: none
  saga_id VARCHAR,              -- header command_saga_id or commandreply_saga_id; NULL for events
  reply_to VARCHAR,             -- header reply_to_message_id: the answered command; NULL: not a reply
  headers VARCHAR,              -- JSON as stored; NULL for an event's usual seven headers, whose values are in id, key, topic, event_type, …
  payload VARCHAR,              -- JSON as stored
  published BOOLEAN,            -- the relay's mark; no verdict depends on it
  created TIMESTAMP             -- message.creation_time: the database's clock, milliseconds
);

-- The `received_messages` tables (inboxes) of all services, read at one moment.
CREATE TABLE inbox (
  schema_name VARCHAR,          -- the service's schema
  subscriber VARCHAR,           -- consumer_id: the subscriber's name
  message_id VARCHAR,           -- the message that was taken
  received TIMESTAMP            -- creation_time: the service's clock, milliseconds
);

-- Messages that a subscriber gave up: the `dead_letter` tables, and the dead-letter streams in Redis.
CREATE TABLE dead_letters (
  store VARCHAR,                -- mysql or redis
  schema_name VARCHAR,          -- the service's schema; NULL in Redis
  subscriber VARCHAR,           -- the subscriber that gave up
  topic VARCHAR,                -- the record's topic
  partition_no INTEGER,         -- the record's partition
  offset_no HUGEINT,            -- the record's position, as in records
  message_index INTEGER,        -- index of the message in its record, from 0
  message_id VARCHAR,           -- NULL when the record could not be decoded
  cause VARCHAR,                -- the exception with its traceback; the last line names the exception
  key BLOB,                     -- the record's key, unchanged
  value BLOB,                   -- the record's value, unchanged
  parked TIMESTAMP              -- the service's clock (in Redis: the server's), milliseconds
);

-- Orchestrated sagas; empty without an orchestrator.
CREATE TABLE saga_instances (
  schema_name VARCHAR,          -- the orchestrator's schema
  saga_type VARCHAR,            -- full name
  saga_id VARCHAR,              -- primary key with saga_type
  state_name VARCHAR,           -- as the orchestrator stored it
  last_request_id VARCHAR,      -- id of the last command that it sent
  end_state BOOLEAN,            -- the saga has ended
  compensating BOOLEAN,         -- the saga is compensating: it runs its compensations in reverse order
  failed BOOLEAN,               -- the saga ended in an error
  order_id BIGINT,              -- orderId of the saga's data; NULL: none
  data VARCHAR                  -- saga_data_json
);

-- Committed transactions from the binlog, in commit order: those that changed a row of the tables below.
CREATE TABLE transactions (
  commit_no BIGINT,             -- 1, 2, 3 … in commit order; all change tables refer to it
  binlog_file VARCHAR,          -- a file name such as binlog.000002
  position BIGINT,              -- the end of the commit in that file
  committed TIMESTAMP,          -- the server's clock
  precision_us BIGINT           -- possible error of this time in microseconds: 1000000 on MariaDB, 1 on MySQL 8 and later
);

-- Inserted and deleted outbox rows, in commit order. Updates are left out: they are the relay's marks.
CREATE TABLE outbox_changes (
  commit_no BIGINT,             -- see transactions
  change_no BIGINT,             -- order of the changes across all tables, within a transaction too
  op VARCHAR,                   -- insert, delete
  schema_name VARCHAR,          -- the service's schema
  message_id VARCHAR,           -- message.id
  topic VARCHAR,                -- as in outbox
  channel VARCHAR,              -- as in outbox
  event VARCHAR,                -- as in outbox
  aggregate_id BIGINT,          -- as in outbox
  order_id BIGINT,              -- as in outbox
  customer_id BIGINT,           -- as in outbox
  key VARCHAR,                  -- as in outbox
  saga_id VARCHAR,              -- as in outbox
  reply_to VARCHAR              -- as in outbox
);

-- Inserted and deleted inbox rows, in commit order. The transaction that inserts the row also contains the message's effect.
CREATE TABLE inbox_changes (
  commit_no BIGINT,             -- see transactions
  change_no BIGINT,             -- order of the changes across all tables, within a transaction too
  op VARCHAR,                   -- insert, delete
  schema_name VARCHAR,          -- the service's schema
  subscriber VARCHAR,           -- as in inbox
  message_id VARCHAR            -- as in inbox
);

-- Statements in the binlog that are not row changes: TRUNCATE, CREATE, ALTER, DROP … in the services' schemas.
CREATE TABLE binlog_statements (
  commit_no BIGINT,             -- the last commit before the statement
  binlog_file VARCHAR,          -- the statement's file
  position BIGINT,              -- the end of the statement in that file
  schema_name VARCHAR,          -- the current schema
  kind VARCHAR,                 -- truncate, ddl, dml (a change logged as a statement, so its rows are unknown)
  statement VARCHAR             -- the first 1000 characters
);

-- Every message in the broker between the mark and the collection. A record usually holds one message; one without a message has message_id
-- NULL.
CREATE TABLE records (
  topic VARCHAR,                -- full name
  channel VARCHAR,              -- short name of the topic
  partition_no INTEGER,         -- partition
  offset_no HUGEINT,            -- position within the partition, which defines the order; position_words(offset_no) is the form for people: offset 17
  message_index INTEGER,        -- index of the message in its record, from 0
  key VARCHAR,                  -- the record's key as text
  message_id VARCHAR,           -- header ID
  event_type VARCHAR,           -- header event-type, command_type or reply_type: full name; NULL: none of these
  event VARCHAR,                -- the short name, as in message_types
  aggregate_type VARCHAR,       -- header event-aggregate-type
  aggregate_id BIGINT,          -- header event-aggregate-id; NULL when it is not a number
  order_id BIGINT,              -- as in outbox
  customer_id BIGINT,           -- as in outbox
  total DECIMAL(38,2),          -- as in outbox
  saga_id VARCHAR,              -- as in outbox
  reply_to VARCHAR,             -- as in outbox
  headers VARCHAR,              -- JSON; NULL for an event's usual seven headers, whose values are in message_id, key, topic, event_type, …
  payload VARCHAR,              -- the message's payload
  value BLOB,                   -- the record's bytes, only if it holds no message
  appended TIMESTAMP            -- the record's timestamp: the producer's clock, milliseconds
);

-- The broker's partitions, with the start and end of their logs.
CREATE TABLE partitions (
  topic VARCHAR,                -- full name
  partition_no INTEGER,         -- partition
  log_start HUGEINT,            -- the first position that still exists
  log_end HUGEINT,              -- the position after the last record
  mark HUGEINT                  -- start of this run's evidence; the table records holds everything from here to log_end
);

-- Consumer groups and how far they have come.
CREATE TABLE group_offsets (
  group_id VARCHAR,             -- the group: the subscriber's name
  topic VARCHAR,                -- full name
  partition_no INTEGER,         -- partition
  committed HUGEINT,            -- the next position to take; NULL: nothing is committed
  log_start HUGEINT,            -- as in partitions
  log_end HUGEINT,              -- as in partitions
  lag BIGINT,                   -- records not yet taken, counted from log_start if nothing is committed
  members INTEGER,              -- number of members in the whole group
  state VARCHAR,                -- the group's state: Stable, Empty, PreparingRebalance, …
  expected BOOLEAN              -- the group belongs to the stack; other groups are only shown
);

-- The view in Redis: customers.
CREATE TABLE view_customers (
  id BIGINT,                    -- customerview:ID
  name VARCHAR,                 -- NULL: only orders have mentioned this customer so far
  credit_limit DECIMAL(38,2),   -- NULL: missing, or not an amount
  credit_limit_text VARCHAR,    -- as stored
  listed BOOLEAN                -- the set of all customers with a view contains this customer
);

-- The view in Redis: the customers' orders.
CREATE TABLE view_orders (
  customer_id BIGINT,           -- the customer whose view holds the order
  order_id BIGINT,              -- field order:ID:…
  state VARCHAR,                -- as stored; NULL: missing
  total DECIMAL(38,2),          -- NULL: missing, or not an amount
  total_text VARCHAR            -- as stored
);

-- The view's own record in Redis of how far it has come.
CREATE TABLE view_positions (
  subscriber VARCHAR,           -- see subscriptions
  topic VARCHAR,                -- full name
  partition_no INTEGER,         -- partition
  position HUGEINT              -- the next position to take
);

-- The view's keys in Redis that have a time to live: Redis will remove them.
CREATE TABLE view_expiry (
  customer_id BIGINT,           -- whose view it is; NULL: a key for all
  key VARCHAR,                  -- its name
  seconds DOUBLE                -- the time to live that is left
);

-- The faults of this run, from the ledger.
CREATE TABLE faults (
  id BIGINT,                    -- as in labkit fault list
  primitive VARCHAR,            -- kill, pause, gate, crash, duplicate, poison, …
  target VARCHAR,               -- component, or component and place
  arguments VARCHAR,            -- JSON
  owner VARCHAR,                -- scenario or hand
  armed TIMESTAMP,              -- labkit's clock, microseconds
  healed TIMESTAMP,             -- NULL: still active at the collection
  proof VARCHAR                 -- evidence that the fault took place; NULL: none
);

-- Each time a fault took effect.
CREATE TABLE fault_hits (
  fault_id BIGINT,              -- see faults
  component VARCHAR,            -- the component that was hit
  place VARCHAR,                -- name of the failpoint; NULL: not a failpoint
  message_id VARCHAR,           -- the message in hand
  attempt INTEGER,              -- delivery attempt of that message, from 1
  struck TIMESTAMP,             -- the component's clock, milliseconds
  second_proof VARCHAR          -- what confirms the hit from outside; NULL: nothing
);

-- Records that labkit itself wrote to the broker. I4, I5 and I10 ignore them.
CREATE TABLE planted_records (
  fault_id BIGINT,              -- see faults
  topic VARCHAR,                -- full name
  partition_no INTEGER,         -- partition
  offset_no HUGEINT,            -- position, as in records
  message_id VARCHAR            -- NULL when the record is not a message
);

-- What happened to the stack's processes since the mark.
CREATE TABLE environment (
  component VARCHAR,            -- a component of the stack, supervisor, or labkit
  event VARCHAR,                -- start, end, adopt, pause, unpause, oom, stall
  happened TIMESTAMP,           -- the supervisor's clock (docker: the engine's)
  precision_us BIGINT,          -- possible error of this time in microseconds
  source VARCHAR,               -- supervisor, docker, labkit
  pid BIGINT,                   -- process id; NULL: none
  exit_code INTEGER,            -- end: exit code; NULL when a signal ended the process or the cause is unknown
  signal INTEGER,               -- end: the signal that ended the process
  by_labkit BOOLEAN,            -- labkit caused the event; NULL: unknown
  detail VARCHAR                -- further detail, such as the length of a stall
);

-- The samples of all positions that were taken until the stack was still.
CREATE TABLE samples (
  sample INTEGER,               -- 1, 2, 3 …
  started TIMESTAMP,            -- labkit's clock, microseconds
  ended TIMESTAMP,              -- labkit's clock, microseconds
  binlog_file VARCHAR,          -- MySQL's position
  binlog_position BIGINT,       -- MySQL's position
  redis_writes BIGINT,          -- Redis: number of writing commands since its start
  records_added BIGINT,         -- the broker: number of records that all partitions have ever received
  moved BOOLEAN                 -- a position differs from the previous sample
);

-- The unfinished work in each sample. The stack is still only if a sample has none.
CREATE TABLE outstanding (
  sample INTEGER,               -- see samples
  condition VARCHAR,            -- outbox, lag, transaction, gate, paused, unreadable
  subject VARCHAR,              -- a schema, group, account, component
  detail VARCHAR,               -- a sentence without a full stop
  since TIMESTAMP               -- open since this time or longer, labkit's clock
);

-- The customers that are judged, including nonexistent ones that the check's orders name. Empty: the whole stack is judged.
CREATE TABLE scope (
  customer_id BIGINT            -- an own customer; own orders name one, or come from the check's own requests
);

-- Orders that the check itself deliberately keeps PENDING.
CREATE TABLE expected_pending (
  order_id BIGINT               -- see orders
);

-- The last exception that a component logged before it ended by itself, stood still or looped. For people; no verdict depends on it.
CREATE TABLE last_words (
  component VARCHAR,            -- customers, orders, order-history, relay, gateway
  said TIMESTAMP,               -- the component's clock; NULL when the line has no time
  ended TIMESTAMP,              -- end of the process that logged it, as in environment; NULL: still running
  message_id VARCHAR,           -- the message in hand; NULL when the line names none
  text VARCHAR                  -- the last exception with its traceback, at most 8000 characters
);

-- The handler that a service reports having called for a message. For people; no verdict depends on it.
CREATE TABLE handlings (
  component VARCHAR,            -- customers, orders, order-history
  message_id VARCHAR,           -- as in outbox
  handler VARCHAR               -- the function's name; NULL when the message was taken without a handler
);

-- Python's warnings from a service, such as a coroutine that was never awaited. For people; no verdict depends on it.
CREATE TABLE warnings (
  component VARCHAR,            -- as in handlings
  text VARCHAR                  -- the warning with its file and line
);

-- Messages whose inbox row was inserted by a transaction and still existed at its commit.
CREATE VIEW inbox_commits AS
  SELECT commit_no, max(change_no) AS change_no, schema_name, subscriber, message_id
  FROM inbox_changes GROUP BY commit_no, schema_name, subscriber, message_id
  HAVING arg_max(op, change_no) = 'insert' AND arg_min(op, change_no) = 'insert';

-- The broker's records without those that labkit planted. I4, I5 and I10 judge these.
CREATE VIEW own_records AS
  SELECT r.* FROM records r ANTI JOIN planted_records p
  ON r.topic = p.topic AND r.partition_no = p.partition_no AND r.offset_no = p.offset_no;

-- The first copy of each message in the broker. A relay that crashed may publish a message again.
CREATE VIEW first_records AS
  SELECT * FROM own_records WHERE message_id IS NOT NULL
  QUALIFY row_number() OVER (PARTITION BY topic, message_id ORDER BY partition_no, offset_no) = 1;
