"""`labkit exam`: right code passes with all its faults, wrong code fails, and a few steps are left that show why."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from labkit.checking.histories.disturb import may_be_down
from labkit.checking.histories.draw import POINTS
from labkit.checking.histories.exam import PlayedHistory, judged
from labkit.checking.histories.model import CrashWhilePlacing, History, Person, PlaceWhileDown, Step
from labkit.checking.session import session
from labkit.pass_fail_unknown import Verdict
from tests.running import Labkit, RunningStack, in_soak

BREAKS = "elif customer.available_credit >= order.total:"


def exam(labkit: Labkit, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = labkit("exam", *arguments, "--json", ok=False, timeout=900)
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seconds", [20, *in_soak(600)])
def test_right_code_passes_and_no_fault_is_left(stack: RunningStack, seconds: int) -> None:
    code, found = exam(stack.labkit, "--seconds", str(seconds), "--seed", "5")
    assert (code, found["verdict"]) == (0, "pass"), found
    assert found["histories"] > 1
    assert json.loads(stack.labkit("status", "--json").stdout)["faults"] == []


def each_component_is_down(stack: RunningStack) -> list[Step]:
    return [PlaceWhileDown(0, component=name, count=5) for name in may_be_down(stack.described.profile)]


def orders_ends_again_and_again(_: RunningStack) -> list[Step]:
    return [CrashWhilePlacing(0, component="orders", point=point) for _ in range(3) for component, point in POINTS if component == "orders"]


@pytest.mark.parametrize("steps_on", [each_component_is_down, orders_ends_again_and_again])
def test_right_code_is_not_blamed_for_what_the_exam_does(stack: RunningStack, steps_on: Callable[[RunningStack], list[Step]]) -> None:
    history = History(3, (Person("Ada", "100.00"), Person("", "")), tuple(steps_on(stack)))

    async def played() -> PlayedHistory:
        async with session(stack.described, "a test") as run:
            return await judged(run, 0, history)

    found = asyncio.run(played())
    assert found.verdict is Verdict.PASS, found.explanation


@pytest.fixture
def broken(up_with_mistake: Callable[[str, str, str], Labkit]) -> Labkit:
    """A stack on which an order over all that is left is refused."""
    return up_with_mistake("customers/handlers.py", BREAKS, BREAKS.replace(">=", ">"))


@pytest.mark.timeout(300)
def test_wrong_code_fails_and_few_steps_are_left(broken: Labkit) -> None:
    code, found = exam(broken, "--seconds", "20", "--seed", "5")
    assert (code, found["verdict"]) == (1, "fail")
    assert len(found["steps"]) <= 5, found["steps"]
    assert "was refused for lack of credit, but there was enough" in found["explanation"]["sentence"]


def test_the_screen_names_the_steps_and_how_to_repeat_them(broken: Labkit) -> None:
    done = broken("exam", "--seconds", "5", "--seed", "5", ok=False, timeout=300)
    assert done.returncode == 1
    for part in (
        "✗ history 0, ",
        "Looking for fewer steps that fail.",
        "because",
        "To repeat: labkit exam --seconds 5 --seed 5 --name broken",
    ):
        assert part in done.stdout, done.stdout
