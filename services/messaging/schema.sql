-- The tables of transactional messaging, in the schema of each service that has one.

-- The transactional outbox: a row is written in the transaction that changes the aggregate; the relay publishes it.
CREATE TABLE IF NOT EXISTS message (
  id VARCHAR(255) PRIMARY KEY,
  destination LONGTEXT NOT NULL,
  headers LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
  payload LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
  published SMALLINT DEFAULT 0,
  message_partition SMALLINT,
  creation_time BIGINT,
  INDEX message_published_idx (published, id)
);

-- The inbox of the idempotent consumer: a row is written in the transaction that holds the effect of the message.
CREATE TABLE IF NOT EXISTS received_messages (
  consumer_id VARCHAR(255),
  message_id VARCHAR(255),
  creation_time BIGINT,
  published SMALLINT DEFAULT 0,
  PRIMARY KEY (consumer_id, message_id)
);

-- Messages that were given up: undecodable, or a handler raised on each try. The record's bytes are kept as they came.
CREATE TABLE IF NOT EXISTS dead_letter (
  id BIGINT AUTO_INCREMENT PRIMARY KEY,
  subscriber VARCHAR(255) NOT NULL,
  channel VARCHAR(255) NOT NULL,
  channel_partition INT NOT NULL,
  position BIGINT NOT NULL,
  message_index INT NOT NULL,
  message_id VARCHAR(255),
  cause TEXT NOT NULL,
  record_key LONGBLOB,
  record_value LONGBLOB,
  creation_time BIGINT NOT NULL,
  UNIQUE KEY dead_letter_once (subscriber, channel, channel_partition, position, message_index)
);
