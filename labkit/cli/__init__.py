"""The entry point."""

import gc
import sys

# A command starts by creating many objects that stay: at Python's default, the collector looks through them again and again.
gc.set_threshold(20_000)

from labkit.cli.app import app  # noqa: E402

__all__ = ["app", "main", "run"]


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    from labkit.cli import error_boundary

    return error_boundary.run(app, arguments)
