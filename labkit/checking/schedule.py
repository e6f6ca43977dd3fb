"""Running the checks of a lab: checks run concurrently where possible, and share one reading of the stores.

Gates run first, each by itself. Checks that inject faults follow, one after another: the next one starts when the previous one has healed
its faults and waits for evidence. All other checks then run at the same time. When every check has ended or waits, the stores are read once
for all of them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from labkit.checking.checks import Check, CheckResult, Failed, NotJudged
from labkit.errors import UserError
from labkit.explanation import Explanation
from labkit.pass_fail_unknown import Verdict

T = TypeVar("T")
S = TypeVar("S")
current_check: ContextVar[str] = ContextVar("current_check", default="")
"""The id of the running check, or the name of shared work that it does for several checks."""


class Meeting(Generic[T]):
    """Where the checks at work wait for a result that is read once for all of them."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._at_work = 0
        self._waiting: list[asyncio.Future[T]] = []
        self._held = 0
        self._moved = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()
        self.seconds_waited: dict[asyncio.Task[Any] | None, float] = {}

    async def come(self) -> T:
        """Wait until all checks at work have come, then return the shared result. Reads at once if no check is at work. Raises what the
        reading raises."""
        if not self._at_work:
            return await self._read()
        began, mine = time.monotonic(), asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        self._look()
        try:
            found: T = await mine
            return found
        finally:
            this = asyncio.current_task()
            self.seconds_waited[this] = self.seconds_waited.get(this, 0.0) + time.monotonic() - began

    def begin(self) -> None:
        self._at_work += 1

    def end(self) -> None:
        self._at_work -= 1
        self._look()

    def make(self, making: Coroutine[Any, Any, S]) -> "asyncio.Task[S]":
        """Start work that several checks share. Until it ends, it counts as at work, like a check."""
        self.begin()
        task = asyncio.ensure_future(making)
        task.add_done_callback(lambda _: self.end())
        return task

    async def join(self, made: "asyncio.Task[S]") -> S:
        """Wait for the work that `make` started. The waiting check counts as idle until the work is done."""
        if not made.done():
            self._at_work -= 1
            made.add_done_callback(lambda _: self.begin())
            self._look()
        return await made

    async def together(self, *works: Coroutine[Any, Any, None]) -> None:
        """Do these at the same time, for the calling check: until they end, each of them counts as at work, and the check itself does not.
        The first error ends the others."""
        left = len(works)

        def ended(_: object) -> None:
            nonlocal left
            left -= 1
            if left:  # the last one leaves its place to the check
                self.end()

        self._at_work += left - 1
        tasks = [asyncio.ensure_future(work) for work in works]
        for task in tasks:
            task.add_done_callback(ended)
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def hold(self) -> None:
        """Prevent the reading until `release`, because more checks are about to start."""
        self._held += 1

    def release(self) -> None:
        self._held -= 1
        self._look()

    async def all_wait(self) -> None:
        """Return when everyone at work is waiting."""
        while len(self._waiting) < self._at_work:
            self._moved.clear()
            await self._moved.wait()

    def _look(self) -> None:
        self._moved.set()
        if self._all_have_come():
            asyncio.get_running_loop().call_soon(self._serve_all)

    def _all_have_come(self) -> bool:
        return bool(self._waiting) and not self._held and len(self._waiting) >= self._at_work

    def _serve_all(self) -> None:
        """Read for all who wait, unless someone has resumed work in the meantime, such as a check whose shared work was just finished."""
        if self._all_have_come():
            served, self._waiting = self._waiting, []
            task = asyncio.ensure_future(self._serve(served))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, waiting: Sequence["asyncio.Future[T]"]) -> None:
        try:
            found = await self._read()
        except BaseException as error:
            for each in waiting:
                if not each.done():
                    each.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for each in waiting:
            if not each.done():
                each.set_result(found)


async def run_checks(
    checks: Sequence[Check],
    lab: Any,
    meeting: Meeting[Any],
    *,
    tell: Callable[[CheckResult], None] = lambda _: None,
    begin: Callable[[Check], None] = lambda _: None,
    recovered: Callable[[], Awaitable[None]] | None = None,
    enough: Callable[[CheckResult], bool] = lambda _: False,
) -> list[CheckResult]:
    """Run the checks and return their results in the same order. `tell` receives each result in that order, as soon as it and all
    earlier ones are available. After a result that is `enough`, the other checks are cancelled and have no result. `recovered` raises
    NotJudged while a component that labkit stopped is not back: on such a stack no check fails and none begins."""
    recovered = recovered or _nothing
    outcomes: dict[str, CheckResult] = {}
    told = 0

    def note(outcome: CheckResult) -> None:
        nonlocal told
        outcomes[outcome.check.id] = outcome
        while told < len(checks) and checks[told].id in outcomes:
            tell(outcomes[checks[told].id])
            told += 1

    closed: Check | None = None
    for gate in (c for c in checks if c.is_gate):
        begin(gate)
        note(await _run(gate, lab, meeting, recovered))
        closed = closed or (gate if outcomes[gate.id].verdict is not Verdict.PASS else None)
    if closed is not None:
        for c in checks:
            if not c.is_gate:
                reason = f"Nothing was judged, because {closed.id} did not pass."
                note(CheckResult(c, Verdict.UNKNOWN, 0.0, Explanation(reason, next_step=f"repair {closed.id} first")))
        return [outcomes[c.id] for c in checks]

    async def one(c: Check) -> None:
        begin(c)
        note(await _run(c, lab, meeting, recovered))
        if enough(outcomes[c.id]):
            raise _Enough

    meeting.hold()
    try:
        async with asyncio.TaskGroup() as tasks:
            for c in checks:
                if c.is_alone:
                    tasks.create_task(one(c))
                    await asyncio.sleep(0)  # let it start and count as at work
                    await meeting.all_wait()
            for c in checks:
                if not c.is_gate and not c.is_alone:
                    tasks.create_task(one(c))
            await asyncio.sleep(0)
            meeting.release()
    except* _Enough:
        pass
    return [outcomes[c.id] for c in checks if c.id in outcomes]


class _Enough(Exception):
    pass


async def _nothing() -> None:
    return


async def _run(this: Check, lab: Any, meeting: Meeting[Any], recovered: Callable[[], Awaitable[None]]) -> CheckResult:
    began = time.monotonic()

    def seconds() -> float:
        return time.monotonic() - began - meeting.seconds_waited.get(asyncio.current_task(), 0.0)

    def unknown(explanation: Explanation) -> CheckResult:
        return CheckResult(this, Verdict.UNKNOWN, seconds(), explanation)

    current_check.set(this.id)
    meeting.begin()
    try:
        await recovered()
        try:
            await this.run(lab)
        except Failed:
            await recovered()
            raise
    except Failed as failed:
        return CheckResult(this, Verdict.FAIL, seconds(), failed.explanation)
    except NotJudged as reason:
        return unknown(reason.explanation)
    except UserError as error:
        return unknown(Explanation(error.message, next_step=error.next_step or "labkit status"))
    except Exception as error:  # a check that crashes says nothing about the code
        from labkit import machine_refusals
        from labkit.crash_report import write_report
        from labkit.errors import words_of

        if (known := machine_refusals.as_user_error(error)) is not None:
            return unknown(Explanation(known.message, next_step=known.next_step or "labkit doctor"))
        path = write_report(error, [this.id])
        next_step = f"attach {path} to a question" if path else "ask for help, and show this message"
        return unknown(Explanation(f"The check itself failed: {words_of(error)}", next_step=next_step))
    else:
        return CheckResult(this, Verdict.PASS, seconds())
    finally:
        meeting.end()
