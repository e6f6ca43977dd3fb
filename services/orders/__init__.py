"""The Order service: orders and their states."""
