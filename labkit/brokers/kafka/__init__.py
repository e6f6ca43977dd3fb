"""Kafka. Short queries use labkit's own client (wire.py, connection.py), which loads at once; records are read with Kafka's library."""
