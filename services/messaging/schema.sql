-- The tables of transactional messaging, in the schema of each service that has one.
--
-- Ids are compared exactly: capitals, accents and trailing blanks distinguish ids. The two servers name the collations for this
-- differently: only MySQL reads the first comment, only MariaDB the second. The types remain those of the Java original, whose relay
-- reads them as text.

-- The transactional outbox: the transaction that changes the aggregate writes a row; the relay publishes it.
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

-- The inbox of the idempotent consumer: the transaction with the effect of a message writes a row.
CREATE TABLE IF NOT EXISTS received_messages (
  consumer_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */,
  message_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */,
  creation_time BIGINT,
  published SMALLINT DEFAULT 0,
  PRIMARY KEY (consumer_id, message_id)
);

-- Messages that were given up: undecodable, or a handler raised on each try. The record's bytes are stored unchanged; of very long records
-- only the first million, and then the cause says so.
CREATE TABLE IF NOT EXISTS dead_letter (
  id BIGINT AUTO_INCREMENT PRIMARY KEY,
  subscriber VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */ NOT NULL,
  channel VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */ NOT NULL,
  channel_partition INT NOT NULL,
  position VARCHAR(90) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- decimal numbers joined by -; the broker defines their meaning
  message_index INT NOT NULL,
  message_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */,
  cause TEXT NOT NULL,
  record_key LONGBLOB,
  record_value LONGBLOB,
  creation_time BIGINT NOT NULL,
  UNIQUE KEY dead_letter_once (subscriber, channel, channel_partition, position, message_index)
);
