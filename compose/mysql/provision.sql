-- The schemas, tables and accounts of the services, for every runtime: run on a new database, and by `labkit up` whenever something in
-- it has changed. Each statement may run again at any time. One statement a line; SOURCE names a file of the services, and ${X_PASSWORD}
-- stands for the password that the stack has drawn for the account x.

CREATE DATABASE IF NOT EXISTS customer_db CHARACTER SET utf8mb4;
USE customer_db;
SOURCE /labkit/services/messaging/schema.sql;
SOURCE /labkit/services/customers/schema.sql;

CREATE DATABASE IF NOT EXISTS order_db CHARACTER SET utf8mb4;
USE order_db;
SOURCE /labkit/services/messaging/schema.sql;
SOURCE /labkit/services/orders/schema.sql;

-- The binlog gets no password.
SET SESSION sql_log_bin = 0;
DROP USER IF EXISTS 'root'@'%';
CREATE USER IF NOT EXISTS 'customer_service'@'%' IDENTIFIED BY '${CUSTOMER_SERVICE_PASSWORD}';
CREATE USER IF NOT EXISTS 'order_service'@'%' IDENTIFIED BY '${ORDER_SERVICE_PASSWORD}';
CREATE USER IF NOT EXISTS 'relay'@'%' IDENTIFIED BY '${RELAY_PASSWORD}';
CREATE USER IF NOT EXISTS 'observer'@'%' IDENTIFIED BY '${OBSERVER_PASSWORD}';
CREATE USER IF NOT EXISTS 'admin'@'%' IDENTIFIED BY '${ADMIN_PASSWORD}';
-- Those that were there had another.
ALTER USER 'customer_service'@'%' IDENTIFIED BY '${CUSTOMER_SERVICE_PASSWORD}';
ALTER USER 'order_service'@'%' IDENTIFIED BY '${ORDER_SERVICE_PASSWORD}';
ALTER USER 'relay'@'%' IDENTIFIED BY '${RELAY_PASSWORD}';
ALTER USER 'observer'@'%' IDENTIFIED BY '${OBSERVER_PASSWORD}';
ALTER USER 'admin'@'%' IDENTIFIED BY '${ADMIN_PASSWORD}';

-- A service sees its own schema only; the relay the two outboxes; the observer all, and the binlog. The administrator may do everything
-- but reach the machine's files and stop the server.
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_db.* TO 'customer_service'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON order_db.* TO 'order_service'@'%';
GRANT SELECT, UPDATE ON customer_db.message TO 'relay'@'%';
GRANT SELECT, UPDATE ON order_db.message TO 'relay'@'%';
GRANT SELECT, PROCESS, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'observer'@'%';
GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;
REVOKE FILE, SHUTDOWN, CREATE TABLESPACE ON *.* FROM 'admin'@'%';
