"""Each component killed, paused and cut off the network, and the inverse, through the runtime; status tells the truth at each moment."""

import json
from typing import Any

import docker
import pytest

from labkit.errors import UserError
from labkit.stack import compose, engine
from labkit.stack.model import COMPONENTS
from labkit.stack.runtime import CUT, FAILED, PAUSED, RUNNING
from tests.conftest import RunningStack
from tests.e2e.shop import new_customer, new_order, settled

pytestmark = pytest.mark.both_runtimes


def state(stack: RunningStack, component: str) -> str:
    return str(next(c["state"] for c in stack.labkit.status()["components"] if c["name"] == component))


def works(stack: RunningStack) -> None:
    """All is ready, and an order comes to its end."""
    stack.labkit.when_ready()
    gateway = stack.url("gateway")
    assert settled(gateway, new_order(gateway, new_customer(gateway, "15.00"), "12.34")) == ("APPROVED", None)


@pytest.mark.parametrize("component", COMPONENTS)
def test_killed_shown_as_failed_and_repaired_by_up(stack: RunningStack, component: str) -> None:
    stack.runtime.kill([component])
    assert stack.runtime.look()[component].state == FAILED
    assert state(stack, component) == "failed"
    stack.labkit("up")
    works(stack)


@pytest.mark.parametrize("component", COMPONENTS)
def test_paused_and_going_on(stack: RunningStack, component: str) -> None:
    with stack.paused(component):
        assert stack.runtime.look()[component].state == PAUSED
        assert state(stack, component) == "paused"
    assert stack.runtime.look()[component].state == RUNNING
    works(stack)


def test_a_paused_component_can_be_stopped_and_killed(stack: RunningStack) -> None:
    for end in (stack.runtime.stop, stack.runtime.kill) * 3:
        stack.runtime.pause(["relay"])
        end(["relay"])
        assert "relay" not in stack.runtime.running()
        stack.runtime.start(["relay"])
    works(stack)


def on_the_network(stack: RunningStack, component: str) -> Any:
    """Networks, addresses, aliases and ports of a container, as the engine says."""
    project = compose.project_of(stack.labkit.directory)
    [found] = docker.DockerClient(base_url=engine.find().host).containers.list(
        filters={"label": [f"com.docker.compose.project={project}", f"com.docker.compose.service={component}"]}
    )
    settings = found.attrs["NetworkSettings"]
    networks = {name: (n["IPAddress"], sorted(n["Aliases"] or [])) for name, n in settings["Networks"].items()}
    return json.loads(json.dumps([networks, settings["Ports"]]))


@pytest.mark.parametrize("component", COMPONENTS)
def test_cut_off_the_network_and_joined_again(stack: RunningStack, component: str) -> None:
    if stack.runtime.name == "native":
        with pytest.raises(UserError, match="native runtime cannot cut"):
            stack.runtime.cut([component])
        return
    before = on_the_network(stack, component)
    stack.runtime.cut([component])
    assert stack.runtime.look()[component].state == CUT
    assert state(stack, component) == "cut"
    stack.runtime.join([component])
    assert stack.runtime.look()[component].state == RUNNING
    assert on_the_network(stack, component) == before
    works(stack)


def test_up_joins_what_was_cut_and_wakes_what_was_paused(stack: RunningStack) -> None:
    if stack.runtime.name == "docker":
        stack.runtime.cut(["kafka"])
    stack.runtime.pause(["relay"])
    stack.labkit("up")
    works(stack)
