-- The schemas, tables and accounts of the services, the same for every runtime. The image runs this file on a new database; `labkit up` runs
-- the statements again whenever one has changed. Each statement may run again at any time. One statement for each line. SOURCE names a
-- file of the services, and ${X_PASSWORD} stands for the stack's password of the account x.

CREATE DATABASE IF NOT EXISTS customer_db CHARACTER SET utf8mb4;
USE customer_db;
SOURCE /labkit/services/messaging/schema.sql;
SOURCE /labkit/services/customers/schema.sql;

CREATE DATABASE IF NOT EXISTS order_db CHARACTER SET utf8mb4;
USE order_db;
SOURCE /labkit/services/messaging/schema.sql;
SOURCE /labkit/services/orders/schema.sql;

-- Passwords must not reach the binlog.
SET SESSION sql_log_bin = 0;
DROP USER IF EXISTS 'root'@'%';
CREATE USER IF NOT EXISTS 'customer_service'@'%' IDENTIFIED BY '${CUSTOMER_SERVICE_PASSWORD}';
CREATE USER IF NOT EXISTS 'order_service'@'%' IDENTIFIED BY '${ORDER_SERVICE_PASSWORD}';
CREATE USER IF NOT EXISTS 'relay'@'%' IDENTIFIED BY '${RELAY_PASSWORD}';
CREATE USER IF NOT EXISTS 'observer'@'%' IDENTIFIED BY '${OBSERVER_PASSWORD}';
CREATE USER IF NOT EXISTS 'admin'@'%' IDENTIFIED BY '${ADMIN_PASSWORD}';
-- Existing accounts have an earlier password.
ALTER USER 'customer_service'@'%' IDENTIFIED BY '${CUSTOMER_SERVICE_PASSWORD}';
ALTER USER 'order_service'@'%' IDENTIFIED BY '${ORDER_SERVICE_PASSWORD}';
ALTER USER 'relay'@'%' IDENTIFIED BY '${RELAY_PASSWORD}';
ALTER USER 'observer'@'%' IDENTIFIED BY '${OBSERVER_PASSWORD}';
ALTER USER 'admin'@'%' IDENTIFIED BY '${ADMIN_PASSWORD}';

-- A service sees its own schema only, the relay the two outboxes, and the observer everything, including the binlog. The administrator
-- has all rights, except access to the machine's files and stopping the server.
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_db.* TO 'customer_service'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON order_db.* TO 'order_service'@'%';
GRANT SELECT, UPDATE ON customer_db.message TO 'relay'@'%';
GRANT SELECT, UPDATE ON order_db.message TO 'relay'@'%';
GRANT SELECT, PROCESS, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'observer'@'%';
GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;
REVOKE FILE, SHUTDOWN, CREATE TABLESPACE ON *.* FROM 'admin'@'%';
