"""labkit: the command-line workshop kit for distributed data patterns."""

import gc

__version__ = "0.1.0"

# A command creates most of its objects at its start, and keeps them: at Python's default the collector looks through them again and again.
gc.set_threshold(20_000)
