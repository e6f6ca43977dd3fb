"""Kafka. Short questions go over labkit's own client (wire.py, connection.py), which is loaded at once; records over Kafka's library."""
