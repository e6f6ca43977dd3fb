"""The findings of check 2.1 about a saga.yml, and about code that differs from a correct one."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from labkit.catalog.labs import find_lab
from labkit.checking.checks import Failed
from labkit.checking.lab_modules import module
from labkit.explanation import Explanation

FOLDER = find_lab(2).folder
saga = module(FOLDER / "saga.py")
RIGHT = saga.read(FOLDER / "solution" / "saga.yml")


def real(**changes: Callable[[Any], None]) -> dict[str, Any]:
    """The steps found in the stores, with changes by trigger."""
    steps = {step.trigger: deepcopy(step) for step in RIGHT}
    for trigger, change in changes.items():
        change(steps[trigger])
    return steps


def said(found: dict[str, Any], steps: list[Any] | None = None) -> Explanation:
    with pytest.raises(Failed) as failed:
        saga.compare(steps or RIGHT, found, RIGHT, lambda service, event: f"its handler of {event} ran and changed nothing.")
    return failed.value.explanation


def written(tmp_path: Path, text: str) -> list[Any]:
    file = tmp_path / "saga.yml"
    file.write_text(text)
    steps: list[Any] = saga.read(file)
    return steps


def accepted(steps: list[Any], found: dict[str, Any]) -> None:
    saga.compare(steps, found, RIGHT, lambda *_: "")


def test_what_is_as_it_says_is_accepted() -> None:
    accepted(RIGHT, real())


def test_an_event_more_that_nobody_needs_is_accepted_whether_it_is_said_or_not(tmp_path: Path) -> None:
    found = real(OrderCancelled=lambda step: step.own.add("CustomerCreditReleased"))
    accepted(RIGHT, found)
    text = (FOLDER / "solution" / "saga.yml").read_text()
    for name in ("CustomerCreditReleased", "CustomerCreditReleasedEvent"):
        accepted(written(tmp_path, text.replace("publishes: []", f"publishes: [{name}]")), found)


def test_an_event_that_nobody_publishes_is_no_word(tmp_path: Path) -> None:
    text = (FOLDER / "solution" / "saga.yml").read_text().replace("publishes: []", "publishes: [CustomerCreditRefunded]")
    assert "'CustomerCreditRefunded' is not an event; choose from" in said(real(), written(tmp_path, text)).sentence


def test_code_that_publishes_otherwise_is_not_laid_to_a_right_saga_yml() -> None:
    failed = said(real(CustomerCreditReserved=lambda step: step.publishes.add("OrderRejected")))
    assert failed.sentence == (
        "Your saga.yml is right about the step of CustomerCreditReserved, but your code does something else: "
        "it publishes OrderApproved, OrderRejected."
    )
    assert (failed.expected, failed.found) == ("OrderApproved", "OrderApproved, OrderRejected")
    assert failed.next_step == "what does the code do when CustomerCreditReserved comes? see services/orders/handlers.py"


def test_code_that_does_nothing_is_not_laid_to_a_right_saga_yml_and_the_handler_is_named() -> None:
    found = real()
    del found["OrderCancelled"]
    failed = said(found)
    assert failed.sentence.startswith("Your saga.yml is right (OrderCancelled starts a step of customers), but your code is not: ")
    assert failed.so == "customers did nothing with OrderCancelled: its handler of OrderCancelled ran and changed nothing."


def test_code_that_does_too_much_is_told_as_such() -> None:
    found = real()
    found["OrderApproved"] = saga.Step("OrderApproved", "customers", {"release credit"}, seen_at="binlog.1:4")
    assert "Neither your saga.yml nor the saga has such a step" in said(found).sentence


def test_a_wrong_saga_yml_is_still_told_what_is_wrong_with_it(tmp_path: Path) -> None:
    text = (FOLDER / "solution" / "saga.yml").read_text()
    wrong = written(tmp_path, text.replace("publishes: [OrderApproved]", "publishes: [OrderCreated]"))
    assert said(real(), wrong).sentence.startswith("You say that the step of CustomerCreditReserved publishes OrderCreated; ")


def test_code_and_saga_yml_that_agree_on_another_saga_are_accepted(tmp_path: Path) -> None:
    """saga.yml must describe what really happens. Other checks decide whether that is correct."""
    text = (FOLDER / "solution" / "saga.yml").read_text().replace("publishes: [OrderApproved]", "publishes: []")
    accepted(written(tmp_path, text), real(CustomerCreditReserved=lambda step: step.publishes.clear()))
