"""The MySQL client: one account, one connection, and the errors that justify a retry."""
