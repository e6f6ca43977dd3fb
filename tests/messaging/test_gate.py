"""Gates, delays and watches of a subscriber, armed through the armed file."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services.workshop import gate
from services.workshop.armed import armed
from services.workshop.fault import About, Fault

ABOUT = About(message_id="m-1", event_type="a.domain.OrderCreatedEvent", key="17", subscriber="s", channel="c", partition=2, position="5")


def hits(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def comes_up(about: About = ABOUT, *, stopping: bool = False) -> "asyncio.Task[bool]":
    task = asyncio.ensure_future(gate.before(about, lambda: stopping))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


def test_a_gate_holds_the_message_until_it_is_disarmed(nothing_armed: Path) -> None:
    async def main() -> None:
        armed.take([Fault(id="1", kind="gate", target="x", subscriber="s", event_type="OrderCreated", partition=2)])
        assert armed.one_by_one
        waiting = await comes_up()
        assert not waiting.done()
        assert [hit["what"] for hit in hits(nothing_armed)] == ["held"]  # before it waits
        armed.take([])
        assert await waiting

    asyncio.run(main())
    held, released = hits(nothing_armed)
    assert (held["message_id"], held["position"], held["attempt"]) == ("m-1", "5", 1)
    assert released["what"] == "released"


OTHERS: list[dict[str, Any]] = [
    *({"subscriber": "t"}, {"channel": "d"}, {"partition": 3}),
    *({"message_id": "m-2"}, {"key": "18"}, {"event_type": "OrderApproved"}),
]


@pytest.mark.parametrize("other", OTHERS)
def test_a_gate_for_another_message_holds_nothing(nothing_armed: Path, other: dict[str, Any]) -> None:
    armed.take([Fault(id="1", kind="gate", target="x", **other)])
    assert asyncio.run(gate.before(ABOUT, lambda: False))
    assert hits(nothing_armed) == []


def test_a_gate_opens_by_itself_after_the_message_that_it_waits_for(nothing_armed: Path) -> None:
    async def main() -> None:
        armed.take([Fault(id="1", kind="gate", target="x", message_id="m-1", release_after="m-9")])
        waiting = await comes_up()
        assert not waiting.done()
        gate.after(About(message_id="m-9", subscriber="s"))
        assert await waiting

    asyncio.run(main())


def test_a_subscriber_that_is_stopped_does_not_take_the_message(nothing_armed: Path) -> None:
    armed.take([Fault(id="1", kind="gate", target="x")])
    assert not asyncio.run(gate.before(ABOUT, lambda: True))
    assert [hit["what"] for hit in hits(nothing_armed)] == ["held"]  # it was not released


def test_a_delay_ends_by_itself_and_a_watch_only_notes(nothing_armed: Path) -> None:
    armed.take([Fault(id="1", kind="delay", target="x", subscriber="s", delay_s=0.01), Fault(id="2", kind="watch", target="x")])
    assert asyncio.run(gate.before(ABOUT, lambda: False))
    gate.after(ABOUT)
    assert [(hit["fault"], hit["what"]) for hit in hits(nothing_armed)] == [("1", "delayed"), ("2", "taken")]
