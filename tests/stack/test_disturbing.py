"""Each component is killed, paused and cut off the network, then restored, through the runtime. The status is correct throughout."""

import json
import time
from collections.abc import Sequence
from typing import Any

import docker
import pytest

from labkit import docker_engine
from labkit.errors import UserError
from labkit.stack import compose
from labkit.stack.runtime import CUT, FAILED, PAUSED, RUNNING
from tests.conftest import RunningStack
from tests.e2e.shop import new_customer, new_order, settled
from tests.running import COMPONENTS, in_soak, wait_until

pytestmark = pytest.mark.both_runtimes


def alone_in_soak(*components: str) -> list[object]:
    """Components that only `make soak` runs: a runtime ends, halts and cuts all services in the same way."""
    return [pytest.param([component], marks=pytest.mark.soak, id=component) for component in components]


def each(*components: str) -> list[object]:
    return [pytest.param([component], id=component) for component in components]


ALL = pytest.param(COMPONENTS, id="all")


def states(stack: RunningStack) -> dict[str, str]:
    """The states that `status` shows."""
    return {c["name"]: c["state"] for c in stack.labkit.status()["components"] if c["name"] in COMPONENTS}


def looked_at(stack: RunningStack) -> dict[str, str]:
    """The states that the runtime reports."""
    seen = stack.runtime.status()
    return {name: seen[name].state for name in COMPONENTS}


def those(halted: Sequence[str], state: str) -> dict[str, str]:
    return {name: state if name in halted else RUNNING for name in COMPONENTS}


def works(stack: RunningStack) -> None:
    """Everything is ready, and an order reaches its end."""
    stack.labkit.when_ready()
    gateway = stack.url("gateway")
    assert settled(gateway, new_order(gateway, new_customer(gateway, "15.00"), "12.34")) == ("APPROVED", None)


@pytest.mark.parametrize("component", ["kafka", "customers", *in_soak("mysql", "redis", "orders", "order-history", "relay", "gateway")])
def test_killed_shown_as_failed_and_repaired_by_up(stack: RunningStack, component: str) -> None:
    before = stack.pids()
    begun = time.time()
    stack.kill(component)
    wait_until(lambda: stack.runtime.last_end(component, begun), "its end is known")
    end = stack.runtime.last_end(component, begun)
    assert end is not None
    assert end.signal == 9
    assert stack.runtime.status()[component].state == FAILED
    broken = stack.labkit.status()
    assert not broken["ready"]
    assert [c["state"] for c in broken["components"] if c["name"] == component] == ["failed"]
    assert f"Started {component}; the rest was running." in stack.labkit("up").stdout
    after = stack.pids()
    assert {name for name in after if after[name] != before[name]} == {component}
    works(stack)


@pytest.mark.parametrize(
    "components", [*each("kafka", "customers"), ALL, *alone_in_soak("mysql", "redis", "orders", "order-history", "relay", "gateway")]
)
def test_paused_and_going_on(stack: RunningStack, components: Sequence[str]) -> None:
    stack.runtime.pause(components)
    try:
        assert looked_at(stack) == those(components, PAUSED)
        shown = states(stack)
        assert {name: shown[name] for name in components} == dict.fromkeys(components, "paused")
    finally:
        stack.runtime.unpause(components)
    assert looked_at(stack) == those(components, RUNNING)
    works(stack)


def test_a_paused_component_can_be_stopped_and_killed(stack: RunningStack) -> None:
    for end in (stack.runtime.stop, stack.runtime.kill) * 3:
        stack.runtime.pause(["relay"])
        end(["relay"])
        assert "relay" not in stack.runtime.running()
        stack.runtime.start(["relay"])
    works(stack)


def on_the_network(stack: RunningStack) -> dict[str, Any]:
    """Networks, addresses, aliases and ports of each container, as the engine reports them."""
    project = compose.project_of(stack.labkit.directory)
    found = docker.DockerClient(base_url=docker_engine.find().host).containers.list(
        filters={"label": f"com.docker.compose.project={project}"}
    )
    return {container.labels["com.docker.compose.service"]: _connected(container.attrs["NetworkSettings"]) for container in found}


def _connected(settings: Any) -> Any:
    networks = {name: (n["IPAddress"], sorted(n["Aliases"] or [])) for name, n in settings["Networks"].items()}
    return json.loads(json.dumps([networks, settings["Ports"]]))


@pytest.mark.native
@pytest.mark.parametrize("component", COMPONENTS)
def test_processes_are_not_cut_off_a_network(stack: RunningStack, component: str) -> None:
    with pytest.raises(UserError, match="native runtime cannot cut"):
        stack.runtime.cut([component])


@pytest.mark.docker
@pytest.mark.parametrize(
    "components", [*each("mysql", "kafka", "customers"), ALL, *alone_in_soak("redis", "orders", "order-history", "relay", "gateway")]
)
def test_cut_off_the_network_and_joined_again(stack: RunningStack, components: Sequence[str]) -> None:
    before = on_the_network(stack)
    assert set(before) == set(COMPONENTS)
    stack.runtime.cut(components)
    assert looked_at(stack) == those(components, CUT)
    shown = states(stack)
    assert {name: shown[name] for name in components} == dict.fromkeys(components, "cut")
    stack.runtime.join(components)
    assert looked_at(stack) == those(components, RUNNING)
    assert on_the_network(stack) == before
    works(stack)


def test_up_joins_what_was_cut_and_wakes_what_was_paused(stack: RunningStack) -> None:
    if stack.runtime.name == "docker":
        stack.runtime.cut(["kafka"])
    stack.runtime.pause(["relay", "redis"])
    shown = states(stack)
    assert (shown["relay"], shown["redis"]) == ("paused", "paused")
    stack.labkit("up")
    works(stack)
