"""Restart a service inside its container, which takes a tenth of the time of stopping and starting the container.

At a SIGHUP the service ends and waits in its container. At the next SIGHUP it begins again. See docs/control-directory.md.
"""

import time
from collections.abc import Sequence

from labkit.stack.docker import status
from labkit.stack.docker.containers import Containers

SIGHUP = "kill?signal=SIGHUP"
WITHIN_S, POLL_S = 4.0, 0.01


def end_and_wait(containers: Containers, services: Sequence[str]) -> None:
    """Return when the services wait in their containers, have ended with them, or take too long."""
    containers.for_each(services, lambda name: containers.act(name, SIGHUP))
    deadline = time.monotonic() + WITHIN_S
    while (
        not all(status.waits(containers, name) for name in services)
        and time.monotonic() < deadline
        and status.running(containers) & set(services)
    ):
        time.sleep(POLL_S)


def begin_again(containers: Containers, service: str) -> None:
    """Start a service that waits in its container."""
    containers.act(service, SIGHUP)
    deadline = time.monotonic() + WITHIN_S
    while status.waits(containers, service) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def forget(containers: Containers, service: str) -> None:
    """Remove the sign that a service waits: its container ended, or is replaced, while it waited."""
    status.file_of(containers, service, status.WAITING).unlink(missing_ok=True)
