"""The port of each component, where it is free (see labkit/stack/port_choice.py). compose/compose.yaml has the same ports."""

MYSQL, KAFKA, REDIS = 3306, 9092, 6379
GATEWAY, CUSTOMERS, ORDERS, ORDER_HISTORY = 8081, 8082, 8083, 8084
RELAY = 8090  # health and hints
