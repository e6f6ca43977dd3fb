"""How a command reports the files that it changed in a workspace."""

from labkit.terminal import say
from labkit.workspace.changes import ChangedFiles

SHOWN_PATHS = 8


def show(change: ChangedFiles) -> None:
    """Print which files changed and where the earlier work is."""
    if change.paths:
        more = len(change.paths) - SHOWN_PATHS
        listed = ", ".join(change.paths[:SHOWN_PATHS]) + (f" and {more} more" if more > 0 else "")
        say.line(f"Changed in your workspace: {listed}.")
    if change.kept:
        lab = change.kept.lab if change.kept.lab is not None else 1
        say.line(f"Your earlier work is saved: labkit lab {lab} restore {change.kept.name}")
    if change.paths or change.kept:
        say.line()
