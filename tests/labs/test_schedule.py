"""Checks run concurrently where possible, and share one reading of the stores."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from labkit.checking import schedule
from labkit.checking.checks import Check, CheckResult, Failed, NotJudged
from labkit.checking.schedule import Meeting, run_checks
from labkit.pass_fail_unknown import Verdict


class World:
    """Records the events in order."""

    def __init__(self, failing: Exception | None = None) -> None:
        self.said: list[str] = []
        self.readings = 0
        self.failing = failing
        self.meeting = Meeting(self._read)

    async def _read(self) -> int:
        await asyncio.sleep(0)
        self.readings += 1
        self.said.append("read")
        if self.failing:
            raise self.failing
        return self.readings

    def check(self, number: int, *acts: str, gate: bool = False, alone: bool = False, error: Exception | None = None) -> Check:
        """Performs these actions in order; `read` requests evidence."""

        async def run(_: Any) -> None:
            for act in acts:
                if act == "read":
                    await self.meeting.come()
                else:
                    self.said.append(f"{number}:{act}")
                await asyncio.sleep(0)
            if error:
                raise error

        return Check(f"9.{number}", f"Check {number}", run, gate, alone)

    def run(
        self,
        *checks: Check,
        tell: Callable[[CheckResult], None] = lambda _: None,
        enough: Callable[[CheckResult], bool] = lambda _: False,
    ) -> list[CheckResult]:
        return asyncio.run(asyncio.wait_for(run_checks(checks, None, self.meeting, tell=tell, enough=enough), 60))


def test_everybody_waits_for_everybody_and_the_stores_are_read_once() -> None:
    world = World()
    outcomes = world.run(world.check(1, "a", "read", "z"), world.check(2, "a", "b", "c", "read", "z"), world.check(3, "a"))
    assert world.readings == 1
    assert world.said.index("2:c") < world.said.index("read") < world.said.index("1:z")
    assert {o.verdict for o in outcomes} == {Verdict.PASS}


def test_who_asks_again_gets_a_new_reading() -> None:
    world = World()
    world.run(world.check(1, "read", "a", "read"), world.check(2, "read"))
    assert world.readings == 2


def test_who_brings_faults_about_is_alone_until_it_has_ended_or_waits() -> None:
    world = World()
    world.run(world.check(1, "a", "b"), world.check(2, "a", "b", "read", "z", alone=True), world.check(3, "a", "b", alone=True))
    before_reading = world.said[: world.said.index("read")]
    assert before_reading[:4] == ["2:a", "2:b", "3:a", "3:b"]
    assert before_reading[4:] == ["1:a", "1:b"]
    assert world.readings == 1


def test_outcomes_are_told_in_the_order_of_the_checks() -> None:
    world, told = World(), list[str]()
    world.run(
        world.check(1, "a", "b", "c", "d"), world.check(2, "a"), world.check(3, "a", alone=True), tell=lambda o: told.append(o.check.id)
    )
    assert told == ["9.1", "9.2", "9.3"]


def test_behind_a_closed_gate_nothing_is_judged() -> None:
    world = World()
    failed = Failed("It is down.", next_step="labkit up")
    first, second = world.run(world.check(1, "a", gate=True, error=failed), world.check(2, "a"))
    assert (first.verdict, second.verdict) == (Verdict.FAIL, Verdict.UNKNOWN)
    assert second.sentence == "Nothing was judged, because 9.1 did not pass."
    assert world.said == ["1:a"]


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (Failed("wrong", next_step="mend it"), Verdict.FAIL),
        (NotJudged("down", next_step="labkit up"), Verdict.UNKNOWN),
        (KeyError("a mistake of the check's own"), Verdict.UNKNOWN),
    ],
)
def test_one_that_fails_stops_no_other(error: Exception, verdict: Verdict, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    world = World()
    first, second = world.run(world.check(1, "a", error=error), world.check(2, "a", "b", "read", "z"))
    assert (first.verdict, second.verdict) == (verdict, Verdict.PASS)
    assert world.said[-1] == "2:z"


def test_stores_that_cannot_be_read_leave_unknown_what_needs_them() -> None:
    world = World(failing=NotJudged("MySQL does not answer.", next_step="labkit status"))
    first, second = world.run(world.check(1, "a", "read"), world.check(2, "a"))
    assert (first.verdict, first.sentence) == (Verdict.UNKNOWN, "MySQL does not answer.")
    assert second.verdict is Verdict.PASS


def test_time_spent_waiting_for_others_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    world, clock = World(), [0.0]
    monkeypatch.setattr(schedule, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    async def slow(_: Any) -> None:
        for _ in range(10):  # until the other check waits
            await asyncio.sleep(0)
        clock[0] += 10.0
        await world.meeting.come()

    quick, late = world.run(world.check(1, "a", "read"), Check("9.2", "slow", slow, False, False))
    assert (quick.seconds, late.seconds) == (0.0, 10.0)


def test_what_several_checks_share_may_itself_ask_for_the_stores() -> None:
    world, made = World(), list["asyncio.Task[int]"]()

    async def make() -> int:
        world.said.append("make")
        return await world.meeting.come()

    def sharing(number: int) -> Check:
        async def run(_: Any) -> None:
            if not made:
                made.append(world.meeting.make(make()))
            await world.meeting.join(made[0])
            world.said.append(f"{number}:made")
            await world.meeting.come()

        return Check(f"9.{number}", f"Check {number}", run, False, False)

    outcomes = world.run(sharing(1), world.check(2, "a", "b", "c", "d", "read"), sharing(3))
    assert [o.verdict for o in outcomes] == [Verdict.PASS] * 3
    assert world.said.index("2:d") < world.said.index("read") < world.said.index("1:made")
    assert world.readings == 2


def test_what_several_checks_share_fails_for_each_of_them() -> None:
    world, made = World(), list["asyncio.Task[None]"]()

    async def make() -> None:
        await world.meeting.come()
        raise Failed("wrong", next_step="look")

    async def run(_: Any) -> None:
        if not made:
            made.append(world.meeting.make(make()))
        await world.meeting.join(made[0])

    outcomes = world.run(*(Check(f"9.{n}", f"Check {n}", run, False, False) for n in (1, 2, 3)))
    assert [o.verdict for o in outcomes] == [Verdict.FAIL] * 3


# several parts of one check


def of_parts(world: World, number: int, *parts: Callable[[], Coroutine[Any, Any, None]], then: tuple[str, ...] = ()) -> Check:
    """Does the parts at the same time, then these acts."""

    async def run(lab: Any) -> None:
        await world.meeting.together(*(part() for part in parts))
        await world.check(number, *then).run(lab)

    return Check(f"9.{number}", f"Check {number}", run, False, False)


def part(world: World, name: str, *acts: str, error: Exception | None = None) -> Callable[[], Coroutine[Any, Any, None]]:
    async def work() -> None:
        await world.check(0, *(act if act == "read" else f"{name}{act}" for act in acts), error=error).run(None)

    return work


def test_parts_of_one_check_share_a_reading_with_each_other_and_with_the_other_checks() -> None:
    world = World()
    parts = (part(world, "A", "1", "read", "2"), part(world, "B", "1", "1", "1", "read", "2"))
    outcomes = world.run(of_parts(world, 1, *parts), world.check(2, "a", "b", "c", "d", "e", "read"))
    assert [o.verdict for o in outcomes] == [Verdict.PASS] * 2
    assert world.readings == 1
    read = world.said.index("read")
    assert {"0:A1", "0:B1", "2:e"} <= set(world.said[:read])
    assert {"0:A2", "0:B2"} <= set(world.said[read:])


def test_a_part_that_ends_without_asking_keeps_nobody_waiting() -> None:
    world = World()
    parts = (part(world, "A", "1"), part(world, "B", "1", "2", "3", "read"), part(world, "C", "1", "read", "2", "read"))
    outcomes = world.run(of_parts(world, 1, *parts), world.check(2, "read"))
    assert [o.verdict for o in outcomes] == [Verdict.PASS] * 2
    assert world.readings == 2


def test_after_its_parts_a_check_asks_for_itself() -> None:
    world = World()
    outcomes = world.run(
        of_parts(world, 1, part(world, "A", "1", "read"), part(world, "B", "read"), then=("a", "read", "z")),
        of_parts(world, 2, part(world, "C", "read", "1"), then=("read",)),
        world.check(3, "a", "b"),
    )
    assert [o.verdict for o in outcomes] == [Verdict.PASS] * 3
    assert world.said[-1] == "1:z"
    assert world.readings == 2


def test_parts_may_have_parts() -> None:
    world = World()

    async def inner() -> None:
        await world.meeting.together(part(world, "A", "read")(), part(world, "B", "1", "read")())

    outcomes = world.run(of_parts(world, 1, inner, part(world, "C", "read"), then=("read",)), world.check(2, "read", "a", "read"))
    assert [o.verdict for o in outcomes] == [Verdict.PASS] * 2
    assert world.readings == 2


def test_the_first_error_of_a_part_ends_the_others_and_the_reading_goes_on_without_them() -> None:
    world = World()
    wrong = Failed("wrong", next_step="look")

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            world.said.append("ended")

    parts = (part(world, "A", "1", error=wrong), part(world, "B", "read", "2"), forever)
    first, second = world.run(of_parts(world, 1, *parts, then=("z",)), world.check(2, "a", "b", "c", "d", "e", "read", "z"))
    assert (first.verdict, first.sentence, second.verdict) == (Verdict.FAIL, "wrong", Verdict.PASS)
    assert world.said.count("ended") == 1
    assert "0:B2" not in world.said
    assert "1:z" not in world.said
    assert world.readings == 1


# when it is enough


def fails(outcome: CheckResult) -> bool:
    return outcome.verdict is Verdict.FAIL


def test_after_a_result_that_is_enough_the_others_end_without_one() -> None:
    world, told = World(), list[str]()
    outcomes = world.run(
        world.check(1, "a"),
        world.check(2, "a", "b", error=Failed("wrong", next_step="look")),
        world.check(3, *"abcdefghij"),
        world.check(4, "read", "z"),
        tell=lambda o: told.append(o.check.id),
        enough=fails,
    )
    assert [(o.check.id, o.verdict) for o in outcomes] == [("9.1", Verdict.PASS), ("9.2", Verdict.FAIL)]
    assert told == ["9.1", "9.2"]
    assert "3:j" not in world.said
    assert "4:z" not in world.said


def test_after_a_result_that_is_enough_the_next_check_with_faults_does_not_begin() -> None:
    world = World()
    first = world.check(1, "a", alone=True, error=Failed("wrong", next_step="look"))
    outcomes = world.run(first, world.check(2, "a", alone=True), world.check(3, "a"), enough=fails)
    assert [o.check.id for o in outcomes] == ["9.1"]
    assert world.said == ["1:a"]


def test_without_a_result_that_is_enough_all_have_one() -> None:
    world = World()
    outcomes = world.run(world.check(1, "a", error=NotJudged("down", next_step="labkit up")), world.check(2, "a", "read"), enough=fails)
    assert [o.verdict for o in outcomes] == [Verdict.UNKNOWN, Verdict.PASS]
