"""Transactional messaging for Python: outbox, relay, inbox, idempotent consumers, domain events.

This package is generic and knows nothing of customers or orders. Wire format and tables match Eventuate Tram, so either side of a channel
can be a Java service. Patterns: https://microservices.io/patterns/data/transactional-outbox.html and
https://microservices.io/patterns/communication-style/idempotent-consumer.html
"""
