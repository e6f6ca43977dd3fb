CREATE TABLE IF NOT EXISTS customer (
  id BIGINT AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(255),
  amount DECIMAL(38,2),  -- the credit limit
  creation_time BIGINT,
  version BIGINT
);

CREATE TABLE IF NOT EXISTS customer_credit_reservations (
  customer_id BIGINT NOT NULL,
  credit_reservations_key BIGINT NOT NULL,  -- the order
  amount DECIMAL(38,2),
  PRIMARY KEY (customer_id, credit_reservations_key),
  FOREIGN KEY (customer_id) REFERENCES customer (id)
);
