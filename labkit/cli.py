"""The entry point: every command is known once this module is imported."""

import sys

from labkit import cli_begin, cli_look, cli_more
from labkit.cli_app import app

__all__ = ["app", "cli_begin", "cli_look", "cli_more", "main", "run"]


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    from labkit import ending

    return ending.run(app, arguments)
