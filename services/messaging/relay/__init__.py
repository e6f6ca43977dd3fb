"""Message relays send the rows of an outbox to the broker. https://microservices.io/patterns/data/transactional-outbox.html"""
