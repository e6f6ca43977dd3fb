-- The schemas, tables and accounts of the services, for every runtime: run on a new database, and by `labkit up` whenever something in
-- it has changed. Each statement may run again at any time. One statement a line; SOURCE names a file of the services.

CREATE DATABASE IF NOT EXISTS customer_db CHARACTER SET utf8mb4;
USE customer_db;
SOURCE /labkit/services/messaging/schema.sql;
SOURCE /labkit/services/customers/schema.sql;

CREATE DATABASE IF NOT EXISTS order_db CHARACTER SET utf8mb4;
USE order_db;
SOURCE /labkit/services/messaging/schema.sql;
SOURCE /labkit/services/orders/schema.sql;

-- Fixed passwords, equal to the names: they are for a workshop on one machine.
CREATE USER IF NOT EXISTS 'customer_service'@'%' IDENTIFIED BY 'customer_service';
CREATE USER IF NOT EXISTS 'order_service'@'%' IDENTIFIED BY 'order_service';
CREATE USER IF NOT EXISTS 'relay'@'%' IDENTIFIED BY 'relay';
CREATE USER IF NOT EXISTS 'observer'@'%' IDENTIFIED BY 'observer';
CREATE USER IF NOT EXISTS 'admin'@'%' IDENTIFIED BY 'admin';

-- A service sees its own schema only; the relay the two outboxes; the observer all, and the binlog.
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_db.* TO 'customer_service'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON order_db.* TO 'order_service'@'%';
GRANT SELECT, UPDATE ON customer_db.message TO 'relay'@'%';
GRANT SELECT, UPDATE ON order_db.message TO 'relay'@'%';
GRANT SELECT, PROCESS, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'observer'@'%';
GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;
