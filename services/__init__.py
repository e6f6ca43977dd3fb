"""The services of Customers and Orders."""

import gc

# A service creates most of its objects at its start, and keeps them: at Python's default the collector looks through them again and again.
gc.set_threshold(20_000)
