"""The relay's process: takes the outboxes of all services to the broker."""
