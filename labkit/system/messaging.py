"""The tables of transactional messaging, which each service's schema has; the evidence reads those of all schemas into one table each.

https://microservices.io/patterns/data/transactional-outbox.html
"""

OUTBOX = "message"
INBOX = "received_messages"
DEAD_LETTERS = "dead_letter"
SAGAS = "saga_instance"
TABLES = (OUTBOX, INBOX, DEAD_LETTERS, SAGAS)
