"""Signals that end a command from outside."""

import signal


def on_termination() -> None:
    """From now on, end the command on SIGTERM or when the terminal closes, as on Ctrl-C: it stops what it started."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)


def ignore() -> None:
    """Ignore further signals while the command stops what it started: a second Ctrl-C would leave that half done."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
