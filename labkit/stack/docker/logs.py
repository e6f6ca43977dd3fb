"""The containers' logs. A copy of their last lines outlives the containers."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from labkit import docker_engine, paths
from labkit.stack import compose, log_files
from labkit.stack.docker import events
from labkit.stack.docker.containers import Container, Containers
from labkit.stack.docker.status import CLOCKS_APART_S

SAVED_LINES = 2000


def log(containers: Containers, component: str, count: int | None) -> list[str]:
    """Read the container's log, or the copy that was saved when the container was removed."""
    with suppress(docker_engine.NoEngine, OSError):
        if container := containers.listed().get(component):
            return _lines(containers, container, tail="all" if count is None else count)
    return log_files.lines(log_files.of(containers.directory, component), count)


def process_log(containers: Containers, component: str, count: int, ended: float | None) -> list[str] | None:
    with suppress(docker_engine.NoEngine, OSError):
        container = containers.listed().get(component)
        if container and (since := events.start_of(containers, container, ended)) is not None:
            until = None if ended is None else ended + CLOCKS_APART_S
            return _lines(containers, container, tail=count, since=since, until=until)
    return None


def _lines(containers: Containers, container: Container, **which: Any) -> list[str]:
    text: bytes = containers.sdk.logs(container["Id"], **which)
    return text.decode(errors="replace").splitlines()


def follow(containers: Containers, components: Collection[str]) -> Iterator[tuple[str, str]]:
    """Ends when the containers have ended."""
    names = [name for name in components if name in containers.listed()]
    command = compose.command(containers.directory, "logs", "--follow", "--tail", "0", "--no-color", *names)
    yield from compose.lines_of(command, containers.directory)


def save(containers: Containers) -> None:
    """Copy the logs of containers that are about to be removed."""
    for name in containers.listed():
        text = "".join(f"{line}\n" for line in log(containers, name, SAVED_LINES))
        with suppress(OSError):  # on a full disk the logs are lost, but the containers are still removed
            paths.write(log_files.of(containers.directory, name), text)
