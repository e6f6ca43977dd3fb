"""The MySQL client: one account, one connection, and which errors are worth another try."""
