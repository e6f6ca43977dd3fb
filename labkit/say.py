"""What labkit prints, and where."""

import sys


def line(text: str = "") -> None:
    print(text, flush=True)


def problem(text: str) -> None:
    """To standard error, so that it is seen when the output goes elsewhere."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def progress(text: str) -> None:
    """What is being done, in place of what was said so before; empty takes it away. Only where a person looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text[:100]}")
        sys.stderr.flush()


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
