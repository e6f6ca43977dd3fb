"""Transactional messaging for Python: outbox, relay, inbox, idempotent consumers, domain events.

Generic: nothing here knows of customers or orders. Wire format and tables are those of Eventuate Tram, so that either side of a
channel can be a Java service. Patterns: https://microservices.io/patterns/data/transactional-outbox.html and
https://microservices.io/patterns/communication-style/idempotent-consumer.html
"""
