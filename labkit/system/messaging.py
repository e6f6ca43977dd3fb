"""The tables of transactional messaging, which each service's schema has; the evidence reads those of all schemas into one table each.

https://microservices.io/patterns/data/transactional-outbox.html
"""

OUTBOX = "message"
INBOX = "received_messages"
DEAD_LETTERS = "dead_letter"
SAGAS = "saga_instance"
POSITIONS, DEAD_LETTER_STREAM = "positions:", "deadletter:"
"""How the keys begin where a subscriber without an inbox notes what it has taken, and what it gave up; the subscriber's name follows."""
TABLES = (OUTBOX, INBOX, DEAD_LETTERS, SAGAS)
