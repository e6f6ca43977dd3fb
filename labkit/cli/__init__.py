"""The entry point."""

import sys

from labkit.cli.app import app

__all__ = ["app", "main", "run"]


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    from labkit.cli import error_boundary

    return error_boundary.run(app, arguments)
