"""What labkit prints, and where."""

import sys


def line(text: str = "") -> None:
    print(text, flush=True)


def problem(text: str) -> None:
    """To standard error, so that it is seen when the output goes elsewhere."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def on_terminal() -> bool:
    return sys.stdout.isatty()


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def agreed(question: str) -> bool:
    """Ask on the terminal; anything but y is no."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def megabytes(count: float) -> str:
    return f"{count / 1e6:.0f} MB"
