"""What ends a command from outside."""

import signal


def on_termination() -> None:
    """From now on SIGTERM and a closed terminal end the command as Ctrl-C does: what was started is stopped."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)


def ignore() -> None:
    """While what was started is stopped: a second Ctrl-C would leave it half done."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
