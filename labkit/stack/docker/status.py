"""What each container does: whether it runs, how it ended, and what it uses.

A service that restarts inside its container ends and waits there. Its container runs, but the component counts as stopped. See restart.py.
"""

import time
from contextlib import suppress
from pathlib import Path

from labkit import docker_engine
from labkit.stack import compose
from labkit.stack.docker import notation
from labkit.stack.docker.containers import COMPONENT, RUNNING_STATES, Container, Containers
from labkit.stack.runtime import CUT, FAILED, PAUSED, RUNNING, STOPPED, ComponentStatus, End

CLOCKS_APART_S = 1.0  # maximum by which the engine's clock (perhaps in a virtual machine) lags behind ours
PROCESSOR_S = 0.3  # measuring interval for processor use
WAITING, BEGAN = "waiting", "began"  # files of a service that restarts inside its container


def file_of(containers: Containers, component: str, name: str) -> Path:
    """Return a file that a service writes about its restart."""
    return containers.directory / compose.CONTROL / "hits" / component / name


def waits(containers: Containers, component: str) -> bool:
    """Whether the service has ended and waits in its container for the signal to begin again."""
    return component in containers.services and file_of(containers, component, WAITING).exists()


def running(containers: Containers) -> set[str]:
    listed = containers.listed_if_engine_runs()
    return {name for name, container in listed.items() if container["State"] in RUNNING_STATES and not waits(containers, name)}


def waiting(containers: Containers) -> set[str]:
    """Return the services that wait in their containers."""
    return {name for name, container in containers.listed().items() if container["State"] in RUNNING_STATES and waits(containers, name)}


def of_container(containers: Containers, container: Container | None) -> ComponentStatus:
    if container is None:
        return ComponentStatus(STOPPED)
    name = container["Labels"][COMPONENT]
    if container["State"] in RUNNING_STATES and waits(containers, name):
        return ComponentStatus(STOPPED)
    if container["State"] not in RUNNING_STATES:
        end = end_of(containers, container)
        return ComponentStatus(STOPPED if end is None or end.asked_for else FAILED)
    state = containers.inspect(container["Id"])["State"]
    uptime_s = time.time() - max(notation.epoch(state["StartedAt"]), began_again(containers, name))
    health = state.get("Health", {}).get("Status", "")
    return ComponentStatus(halted(container) or RUNNING, state["Pid"], max(0.0, uptime_s), health)


def halted(container: Container) -> str:
    """Return PAUSED, CUT or ""."""
    if container["State"] not in RUNNING_STATES:
        return ""
    return PAUSED if container["State"] == "paused" else "" if container["NetworkSettings"]["Networks"] else CUT


def began_again(containers: Containers, component: str) -> float:
    """Return when the service last restarted inside its container, or 0.0."""
    try:
        return file_of(containers, component, BEGAN).stat().st_mtime
    except OSError:
        return 0.0


def end_of(containers: Containers, container: Container) -> End | None:
    state = containers.inspect(container["Id"])["State"]
    if state["Status"] not in ("exited", "dead"):
        return None
    return End(notation.epoch(state["FinishedAt"]), *notation.code_and_signal(int(state["ExitCode"])), bool(state["OOMKilled"]))


def last_end(containers: Containers, component: str, since: float) -> End | None:
    container = containers.listed().get(component)
    end = end_of(containers, container) if container else None
    return end if end and end.time >= since - CLOCKS_APART_S else None


def memory_of(containers: Containers, component: str) -> int | None:
    """Return the memory as the engine counts it, minus the file cache that could be dropped."""
    with suppress(OSError):  # the container may just have ended
        usage = containers.get(_stats(containers, component))["memory_stats"]
        cache = usage["stats"].get("inactive_file", usage["stats"].get("total_inactive_file", 0))
        return int(usage["usage"]) - int(cache)
    return None


def processor_percent(containers: Containers, component: str) -> float | None:
    with suppress(docker_engine.NoEngine, docker_engine.Refused, OSError, KeyError, ZeroDivisionError):
        path = _stats(containers, component)
        used: list[int] = []
        begun = time.monotonic()
        for pause in (0.0, PROCESSOR_S):
            time.sleep(pause)
            used.append(int(containers.get(path)["cpu_stats"]["cpu_usage"]["total_usage"]))
        return (used[1] - used[0]) / 1e9 / (time.monotonic() - begun) * 100
    return None


def _stats(containers: Containers, component: str) -> str:
    return f"/containers/{containers.id_of(component)}/stats?stream=false&one-shot=true"
