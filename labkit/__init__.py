"""labkit: the command-line workshop kit for distributed data patterns."""

__version__ = "0.1.0"
