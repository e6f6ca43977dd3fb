"""The engine's notation of times and exit codes."""

import datetime


def epoch(text: str) -> float:
    """Convert the engine's `2026-01-02T03:04:05.123456789Z` to epoch seconds."""
    seconds_part, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(f"{seconds_part}+00:00").timestamp()
    return seconds + float(f"0.{fraction}") if fraction else seconds


def code_and_signal(exit_code: int) -> tuple[int | None, int | None]:
    """Split an exit code. Like a shell, the engine reports a signal as 128 plus its number. 143 stays a code: a JVM exits with it on
    SIGTERM.
    """
    return (None, exit_code - 128) if 128 < exit_code < 160 and exit_code != 143 else (exit_code, None)
