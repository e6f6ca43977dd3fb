CREATE TABLE IF NOT EXISTS orders (
  id BIGINT AUTO_INCREMENT PRIMARY KEY,
  customer_id BIGINT,
  amount DECIMAL(38,2),
  state ENUM('APPROVED', 'CANCELLED', 'PENDING', 'REJECTED'),
  version BIGINT,
  rejection_reason TINYINT,  -- 0 INSUFFICIENT_CREDIT, 1 UNKNOWN_CUSTOMER
  creation_time BIGINT,  -- milliseconds; NULL in rows that other programs wrote
  INDEX orders_customer_idx (customer_id)
);
