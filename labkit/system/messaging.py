"""The tables of transactional messaging, which every service's schema has. The evidence merges those of all schemas into one table each.

https://microservices.io/patterns/data/transactional-outbox.html
"""

OUTBOX = "message"
INBOX = "received_messages"
DEAD_LETTERS = "dead_letter"
SAGAS = "saga_instance"
POSITIONS, DEAD_LETTER_STREAM = "positions:", "deadletter:"
"""Key prefixes for a subscriber without an inbox: its positions, and the messages that it gave up. The subscriber's name follows."""
TABLES = (OUTBOX, INBOX, DEAD_LETTERS, SAGAS)
