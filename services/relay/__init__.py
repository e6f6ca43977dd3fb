"""The relay process: sends the outboxes of all services to the broker."""
