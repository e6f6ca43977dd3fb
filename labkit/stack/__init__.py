"""The stack: its data model, the runtimes that run it, and its state on disk."""
