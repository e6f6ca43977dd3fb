-- Every store of a run, side by side. Money is DECIMAL(38,2) as in the services' tables, ids are BIGINT, times are UTC with the precision
-- that their column or comment tells. Names of events and channels are short beside the full ones of the wire.

-- What this file is and how it came about: one value for each name.
CREATE TABLE facts (
  name VARCHAR,                 -- format, run, stack, runtime, labkit, seed, started, ended, mysql_kind, mysql_version, finished, …
  value VARCHAR                 -- as text; structures as JSON
);

-- The servers that the services share, as the profile says.
CREATE TABLE servers (
  component VARCHAR,            -- its name: mysql
  title VARCHAR,                -- its name in a sentence: MySQL
  is_database BOOLEAN,          -- the services' tables are in it
  is_broker BOOLEAN,            -- it carries the messages
  is_view BOOLEAN               -- the view is in it
);

-- Where the tables of services are that this file holds under names of its own.
CREATE TABLE observed_tables (
  name VARCHAR,                 -- in this file: customers, orders, reservations
  schema_name VARCHAR,          -- where it is
  table_name VARCHAR,           -- what it is called there
  component VARCHAR             -- whose table it is
);

-- What flows between the components, as the profile says: the channels of the broker.
CREATE TABLE channels (
  topic VARCHAR,                -- full name
  channel VARCHAR,              -- the name that people read: Order, Customer
  about VARCHAR                 -- the kind of aggregate whose id is the key of its messages: order, customer; NULL: another key
);

-- Who subscribes to what.
CREATE TABLE subscriptions (
  subscriber VARCHAR,           -- the group on the broker, and the consumer_id in the inbox
  component VARCHAR,            -- whose subscriber it is
  topic VARCHAR,                -- a channel that it takes
  store VARCHAR,                -- where it notes what it has taken: a schema, or redis
  dead_letters VARCHAR          -- the topic where it says what it gave up
);

-- The types of messages: events, commands and replies.
CREATE TABLE message_types (
  event VARCHAR,                -- as in outbox
  kind VARCHAR,                 -- event, command, reply
  channel VARCHAR,              -- as in outbox
  sender VARCHAR,               -- the component that sends it
  schema_name VARCHAR,          -- whose outbox that is
  tells VARCHAR,                -- the change that it tells of: order stored, order approved, credit reserved, …; NULL: of none
  answers VARCHAR,              -- the answer about an order's credit that it carries: granted, refused, unknown customer; NULL: none
  state VARCHAR,                -- what that answer makes of an order
  rejection_reason VARCHAR      -- and why
);

-- What the payload of a message must have.
CREATE TABLE message_fields (
  event VARCHAR,                -- see message_types
  field VARCHAR,                -- its path in the payload: orderDetails.customerId
  form VARCHAR                  -- number, money, text
);

-- What a subscriber must do when it takes a message: the effect, once, in the transaction that notes the message as received.
CREATE TABLE reactions (
  subscriber VARCHAR,           -- see subscriptions
  component VARCHAR,            -- see subscriptions
  schema_name VARCHAR,          -- whose inbox that is
  event VARCHAR,                -- the message that it takes
  effect VARCHAR                -- answer, decision, release
);

-- Which parts could be read whole. A source that is missing here was not asked.
CREATE TABLE completeness (
  source VARCHAR,               -- rest, tables, binlog, records, groups, view, faults, environment, moment (all read at one standing moment)
  complete BOOLEAN,             -- false: what is there is true, but something is or may be missing
  reason VARCHAR,               -- why it is not complete, as a sentence without its full stop
  component VARCHAR             -- which component stood in the way: mysql, the broker, redis, labkit; NULL when none did
);

-- The calls that the scenario itself made over REST.
CREATE TABLE requests (
  id BIGINT,                    -- in the order in which they were begun
  operation VARCHAR,            -- create_customer, create_order, cancel_order, or another name for a read
  method VARCHAR,               -- GET, POST, …
  path VARCHAR,                 -- as sent, without host
  body VARCHAR,                 -- JSON as sent, NULL for none
  status INTEGER,               -- HTTP status, NULL when no answer came
  outcome VARCHAR,              -- ok (2xx), refused (4xx: it did not happen), unknown (5xx or no answer: it may have happened)
  customer_id BIGINT,           -- the customer that was made or named
  order_id BIGINT,              -- the order that was made or named; NULL when its outcome is unknown
  customer_name VARCHAR,        -- create_customer: the name
  credit_limit DECIMAL(38,2),   -- create_customer: the limit
  total DECIMAL(38,2),          -- create_order: the total; (customer_id, total) is unique in a scenario
  answer VARCHAR,               -- the body of the answer, or what went wrong
  started TIMESTAMP,            -- labkit's clock, microseconds
  ended TIMESTAMP               -- labkit's clock, microseconds
);

-- Both `message` tables (the transactional outboxes) as of the same moment.
CREATE TABLE outbox (
  schema_name VARCHAR,          -- of which service
  id VARCHAR,                   -- the message id, which sorts by time within one service instance
  topic VARCHAR,                -- message.destination: the topic's full name
  channel VARCHAR,              -- the last part of the topic's name: Order, Customer
  key VARCHAR,                  -- header PARTITION_ID: the record's key
  event_type VARCHAR,           -- header event-type, command_type or reply_type: full name, NULL for what is none
  event VARCHAR,                -- the short name, as in message_types
  aggregate_id BIGINT,          -- header event-aggregate-id, NULL when it is not a number
  order_id BIGINT,              -- the order that it is about: the aggregate's id on Order, else payload orderId; of a reply, that of its command
  customer_id BIGINT,           -- the customer that it is about: the aggregate's id on Customer, else the payload's customerId; of a reply, that of its command
  total DECIMAL(38,2),          -- payload orderTotal.amount, in orderDetails or by itself, where there is one
  saga_id VARCHAR,              -- header command_saga_id or commandreply_saga_id; NULL: neither command nor reply
  reply_to VARCHAR,             -- header reply_to_message_id: the command that is answered; NULL: no reply
  headers VARCHAR,              -- JSON as stored; NULL for the usual seven of an event, which id, key, topic, event_type … tell
  payload VARCHAR,              -- JSON as stored
  published BOOLEAN,            -- the relay's mark; decides no verdict
  created TIMESTAMP             -- message.creation_time: the database's clock, milliseconds
);

-- Both `received_messages` tables (the inboxes) as of the same moment.
CREATE TABLE inbox (
  schema_name VARCHAR,          -- of which service
  subscriber VARCHAR,           -- consumer_id: the name of the subscriber
  message_id VARCHAR,           -- the message that was taken
  received TIMESTAMP            -- creation_time: the service's clock, milliseconds
);

-- Messages that were given up: both `dead_letter` tables, and the dead-letter streams in Redis.
CREATE TABLE dead_letters (
  store VARCHAR,                -- mysql or redis
  schema_name VARCHAR,          -- of which service; NULL in Redis
  subscriber VARCHAR,           -- who gave up
  topic VARCHAR,                -- where the record is
  partition_no INTEGER,         -- where the record is
  offset_no HUGEINT,            -- where the record is: its position, as in records
  message_index INTEGER,        -- which message of the record, 0 for the first
  message_id VARCHAR,           -- NULL when it could not be decoded
  cause VARCHAR,                -- the exception with its traceback; the last line says what it was
  key BLOB,                     -- the record's key as it came
  value BLOB,                   -- the record's value as it came
  parked TIMESTAMP              -- when: the service's clock (Redis: its clock), milliseconds
);

-- Orchestrated sagas; empty where none are.
CREATE TABLE saga_instances (
  schema_name VARCHAR,          -- where the orchestrator keeps them
  saga_type VARCHAR,            -- full name
  saga_id VARCHAR,              -- primary key with saga_type
  state_name VARCHAR,           -- as the orchestrator wrote it
  last_request_id VARCHAR,      -- id of the command it sent last
  end_state BOOLEAN,            -- it has ended
  compensating BOOLEAN,         -- it runs backwards
  failed BOOLEAN,               -- it ended in an error
  order_id BIGINT,              -- orderId of its data, where there is one
  data VARCHAR                  -- saga_data_json
);

-- Committed transactions in commit order, from the binlog: those that changed a row of the tables below.
CREATE TABLE transactions (
  commit_no BIGINT,             -- 1, 2, 3 … in commit order; what all change tables refer to
  binlog_file VARCHAR,          -- such as binlog.000002
  position BIGINT,              -- where the commit ends in that file
  committed TIMESTAMP,          -- the server's clock
  precision_us BIGINT           -- microseconds that this time may be off: 1000000 on MariaDB, 1 on MySQL 8 and later
);

-- Outbox rows that were inserted or deleted, in commit order. Updates are left out: they are the relay's marks.
CREATE TABLE outbox_changes (
  commit_no BIGINT,             -- see transactions
  change_no BIGINT,             -- order of the changes of all tables, also within one transaction
  op VARCHAR,                   -- insert, delete
  schema_name VARCHAR,          -- of which service
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

-- Inbox rows that were inserted or deleted, in commit order: the transaction that holds the row holds the effect of the message.
CREATE TABLE inbox_changes (
  commit_no BIGINT,             -- see transactions
  change_no BIGINT,             -- order of the changes of all tables, also within one transaction
  op VARCHAR,                   -- insert, delete
  schema_name VARCHAR,          -- of which service
  subscriber VARCHAR,           -- as in inbox
  message_id VARCHAR            -- as in inbox
);

-- Statements in the binlog that are no row changes: TRUNCATE, CREATE, ALTER, DROP … in the services' schemas.
CREATE TABLE binlog_statements (
  commit_no BIGINT,             -- the last commit before it
  binlog_file VARCHAR,          -- where it is
  position BIGINT,              -- where it ends
  schema_name VARCHAR,          -- the schema that was in use
  kind VARCHAR,                 -- truncate, ddl, dml (a change logged as a statement: its rows are not known)
  statement VARCHAR             -- the first 1000 characters
);

-- Every message in the broker between the mark and the collection, mostly one a record; a record that is not a message has message_id NULL.
CREATE TABLE records (
  topic VARCHAR,                -- full name
  channel VARCHAR,              -- the last part of the topic's name
  partition_no INTEGER,         -- partition
  offset_no HUGEINT,            -- position within the partition, the order that counts; position_text(offset_no) is what people see
  message_index INTEGER,        -- which message of the record, 0 for the first
  key VARCHAR,                  -- the record's key as text
  message_id VARCHAR,           -- header ID
  event_type VARCHAR,           -- header event-type, command_type or reply_type: full name, NULL for what is none
  event VARCHAR,                -- the short name, as in message_types
  aggregate_type VARCHAR,       -- header event-aggregate-type
  aggregate_id BIGINT,          -- header event-aggregate-id, NULL when it is not a number
  order_id BIGINT,              -- as in outbox
  customer_id BIGINT,           -- as in outbox
  total DECIMAL(38,2),          -- as in outbox
  saga_id VARCHAR,              -- as in outbox
  reply_to VARCHAR,             -- as in outbox
  headers VARCHAR,              -- JSON; NULL for the usual seven of an event, which message_id, key, topic, event_type … tell
  payload VARCHAR,              -- the message's payload
  value BLOB,                   -- the record's bytes, only where they are no message
  appended TIMESTAMP            -- the record's time stamp: the producer's clock, milliseconds
);

-- Partitions with where their logs begin and end.
CREATE TABLE partitions (
  topic VARCHAR,                -- full name
  partition_no INTEGER,         -- partition
  log_start HUGEINT,            -- first position that is still there
  log_end HUGEINT,              -- behind the last record
  mark HUGEINT                  -- where this run's evidence begins; records from here to log_end are in records
);

-- Consumer groups with what they have taken.
CREATE TABLE group_offsets (
  group_id VARCHAR,             -- the group: the subscriber's name
  topic VARCHAR,                -- full name
  partition_no INTEGER,         -- partition
  committed HUGEINT,            -- the next position to take; NULL when the group has committed none
  log_start HUGEINT,            -- of the partition
  log_end HUGEINT,              -- of the partition
  lag BIGINT,                   -- records not yet taken, counted from log_start when nothing is committed
  members INTEGER,              -- members of the whole group
  state VARCHAR,                -- of the group: Stable, Empty, PreparingRebalance, …
  expected BOOLEAN              -- it belongs to the stack; foreign groups are only shown
);

-- The view in Redis: customers.
CREATE TABLE view_customers (
  id BIGINT,                    -- customerview:ID
  name VARCHAR,                 -- NULL: only orders have named this customer so far
  credit_limit DECIMAL(38,2),   -- NULL: missing, or no amount
  credit_limit_text VARCHAR,    -- as stored
  listed BOOLEAN                -- it is in the set of all customers that have a view
);

-- The view in Redis: orders of customers.
CREATE TABLE view_orders (
  customer_id BIGINT,           -- in whose view
  order_id BIGINT,              -- field order:ID:…
  state VARCHAR,                -- as stored; NULL: missing
  total DECIMAL(38,2),          -- NULL: missing, or no amount
  total_text VARCHAR            -- as stored
);

-- How far the view has come, as it says in Redis.
CREATE TABLE view_positions (
  subscriber VARCHAR,           -- see subscriptions
  topic VARCHAR,                -- full name
  partition_no INTEGER,         -- partition
  position HUGEINT              -- the next position to take
);

-- The ledger's faults of this run.
CREATE TABLE faults (
  id BIGINT,                    -- as in labkit fault list
  primitive VARCHAR,            -- kill, pause, gate, crash, duplicate, poison, …
  target VARCHAR,               -- component, or component and place
  arguments VARCHAR,            -- JSON
  owner VARCHAR,                -- scenario or hand
  armed TIMESTAMP,              -- labkit's clock, microseconds
  healed TIMESTAMP,             -- NULL: still there at the collection
  proof VARCHAR                 -- how it is known that it took place; NULL: not known
);

-- Each time that a fault struck.
CREATE TABLE fault_hits (
  fault_id BIGINT,              -- see faults
  component VARCHAR,            -- where
  place VARCHAR,                -- the failpoint's name, where it is one
  message_id VARCHAR,           -- in hand at that time
  attempt INTEGER,              -- which delivery of that message, 1 for the first
  struck TIMESTAMP,             -- the component's clock, milliseconds
  second_proof VARCHAR          -- what confirms it from outside; NULL: nothing does
);

-- Records that labkit itself wrote to the broker: left out of I4, I5 and I10.
CREATE TABLE planted_records (
  fault_id BIGINT,              -- see faults
  topic VARCHAR,                -- full name
  partition_no INTEGER,         -- partition
  offset_no HUGEINT,            -- position, as in records
  message_id VARCHAR            -- NULL when it is not a message
);

-- What happened to the machine's processes, since the mark.
CREATE TABLE environment (
  component VARCHAR,            -- a component of the stack, supervisor, or labkit
  event VARCHAR,                -- start, end, adopt, pause, unpause, oom, stall
  happened TIMESTAMP,           -- the supervisor's clock (docker: the engine's)
  precision_us BIGINT,          -- microseconds that this time may be off
  source VARCHAR,               -- supervisor, docker, labkit
  pid BIGINT,                   -- of the process, where there is one
  exit_code INTEGER,            -- end: its exit code, NULL when a signal ended it or nobody knows
  signal INTEGER,               -- end: the signal that ended it
  by_labkit BOOLEAN,            -- labkit itself did this; NULL: nobody knows
  detail VARCHAR                -- such as how long a stall was
);

-- Each look at all positions while waiting for stillness, see quiescence.
CREATE TABLE waves (
  wave INTEGER,                 -- 1, 2, 3 …
  started TIMESTAMP,            -- labkit's clock, microseconds
  ended TIMESTAMP,              -- labkit's clock, microseconds
  binlog_file VARCHAR,          -- MySQL's position
  binlog_position BIGINT,       -- MySQL's position
  redis_writes BIGINT,          -- Redis: commands that wrote since its start
  records_added BIGINT,         -- the broker: how many records all its partitions ever got
  moved BOOLEAN                 -- some position differs from the wave before
);

-- What was outstanding in a wave; stillness needs a wave without any.
CREATE TABLE outstanding (
  wave INTEGER,                 -- see waves
  condition VARCHAR,            -- outbox, lag, transaction, gate, paused, unreadable
  subject VARCHAR,              -- a schema, group, account, component
  detail VARCHAR,               -- a sentence without its full stop
  since TIMESTAMP               -- open since this time at least, labkit's clock
);

-- What is judged: the customers of the check, also those that do not exist but that its orders name. Empty: the whole stack.
CREATE TABLE scope (
  customer_id BIGINT            -- an own customer; own orders are those that name one, and those that the check's own requests made
);

-- Orders that the check itself holds PENDING, on purpose.
CREATE TABLE expected_pending (
  order_id BIGINT               -- see orders
);

-- What a component wrote last before it ended by itself, or while it stood still or went round in circles: for people, decides no verdict.
CREATE TABLE last_words (
  component VARCHAR,            -- customers, orders, order-history, relay, gateway
  said TIMESTAMP,               -- the component's clock, NULL when the line has none
  ended TIMESTAMP,              -- when the process that said it ended, as in environment; NULL: it runs
  message_id VARCHAR,           -- the message in hand, when the line names one
  text VARCHAR                  -- the last exception with its traceback, at most 8000 characters
);

-- Which handler a service says that it called for a message: for people, decides no verdict.
CREATE TABLE handlings (
  component VARCHAR,            -- customers, orders, order-history
  message_id VARCHAR,           -- as in outbox
  handler VARCHAR               -- the function's name; NULL when the message was taken without one
);

-- What Python warned a service of, such as a coroutine that was never awaited: for people, decides no verdict.
CREATE TABLE warnings (
  component VARCHAR,            -- as in handlings
  text VARCHAR                  -- the warning with its file and line
);

-- Messages that were noted as received and still were when their transaction was committed.
CREATE VIEW inbox_commits AS
  SELECT commit_no, max(change_no) AS change_no, schema_name, subscriber, message_id
  FROM inbox_changes GROUP BY commit_no, schema_name, subscriber, message_id
  HAVING arg_max(op, change_no) = 'insert' AND arg_min(op, change_no) = 'insert';

-- Records without those that labkit planted: what I4, I5 and I10 are about.
CREATE VIEW own_records AS
  SELECT r.* FROM records r ANTI JOIN planted_records p
  ON r.topic = p.topic AND r.partition_no = p.partition_no AND r.offset_no = p.offset_no;

-- The first copy of each message in the broker: a relay that crashed may publish again.
CREATE VIEW first_records AS
  SELECT * FROM own_records WHERE message_id IS NOT NULL
  QUALIFY row_number() OVER (PARTITION BY topic, message_id ORDER BY partition_no, offset_no) = 1;
