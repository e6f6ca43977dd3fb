-- The tables of transactional messaging, in the schema of each service that has one.
--
-- Ids are compared as they are: capitals, accents and a blank at the end make another id. The collations that do so without padding have
-- different names: the first comment is read by MySQL alone, the second by MariaDB alone. The types remain those of the Java original,
-- whose relay reads them as text.

-- The transactional outbox: a row is written in the transaction that changes the aggregate; the relay publishes it.
CREATE TABLE IF NOT EXISTS message (
  id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */ PRIMARY KEY,
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
  consumer_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */,
  message_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */,
  creation_time BIGINT,
  published SMALLINT DEFAULT 0,
  PRIMARY KEY (consumer_id, message_id)
);

-- Messages that were given up: undecodable, or a handler raised on each try. The record's bytes are stored unchanged; of very long ones
-- the first million, and the cause says so.
CREATE TABLE IF NOT EXISTS dead_letter (
  id BIGINT AUTO_INCREMENT PRIMARY KEY,
  subscriber VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */ NOT NULL,
  channel VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */ NOT NULL,
  channel_partition INT NOT NULL,
  position VARCHAR(90) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- decimal numbers joined by -: brokers count differently
  message_index INT NOT NULL,
  message_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */,
  cause TEXT NOT NULL,
  record_key LONGBLOB,
  record_value LONGBLOB,
  creation_time BIGINT NOT NULL,
  UNIQUE KEY dead_letter_once (subscriber, channel, channel_partition, position, message_index)
);
