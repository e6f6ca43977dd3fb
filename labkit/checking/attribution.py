"""Why something did not happen: was the machine at fault, or the code?"""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC
from typing import Any, NoReturn

from labkit.checking import complaints, contract
from labkit.checking.checks import Failed, NotJudged
from labkit.evidence import database, environment, last_words
from labkit.explanation import Explanation, Fact
from labkit.faults import blame as faults_behind
from labkit.faults.ledger import Ledger
from labkit.stack import runtimes
from labkit.stack.model import Stack
from labkit.verdict.process_events import Machine, machine_of


class Attribution:
    """Finds the cause of what did not happen since `began` (epoch seconds). Also watches whether labkit itself was stalled."""

    def __init__(self, stack: Stack, began: float) -> None:
        self._stack, self._began = stack, began
        self._stalls = environment.StallWatch()
        self._stalls.__enter__()

    def close(self) -> None:
        self._stalls.__exit__()

    def stalls(self) -> list[environment.Event]:
        self._stalls.look()
        return list(self._stalls.found)

    async def no_answer(self, row: dict[str, Any]) -> NoReturn:
        """Explain a call that had to succeed but did not. Raises Failed or NotJudged."""
        what = f"{row['method']} {row['path']}"
        how = "got no answer" if row["status"] is None else f"answered {row['status']}"
        details = contract.detail_of(row["answer"])
        raised = await self._raised(row) if row["status"] is not None and row["status"] >= 500 else []
        wrong = Explanation(
            f"{what} {how}{f': {details}' if details else ''}.",
            expected="200",
            found=str(row["status"] or "no answer"),
            because=tuple(raised),
            next_step=f"labkit logs {complaints.owner_of(row['path'])}" if raised else "",
        )
        await self.blame(wrong, f"{what} {how}")

    async def _raised(self, row: dict[str, Any]) -> list[Fact]:
        """Return the exception behind an answer with status 500, from the service's log."""
        since = row["started"].replace(tzinfo=UTC).timestamp()
        return await asyncio.to_thread(complaints.about_request, self._stack, row["method"], row["path"], since)

    async def complaint_of(self, service: str) -> list[Fact]:
        """Return a service's most recent complaint, from its log."""
        return await asyncio.to_thread(complaints.lately, self._stack, service, self._began)

    async def blame(self, wrong: Explanation, what: str) -> NoReturn:
        """Raise the reason why something did not happen: the machine, a service that ended by itself, or else `wrong`. `what` describes
        the event as part of a sentence."""
        await asyncio.to_thread(blame, self._stack, self._began, self.stalls(), wrong, what)
        raise AssertionError("blame always raises")


def blame(stack: Stack, since: float, stalls: Sequence[environment.Event], wrong: Explanation, what: str) -> NoReturn:
    """Raise NotJudged if the machine was at fault since then (epoch seconds), Failed if a service ended by itself. If neither applies,
    the code is at fault: raise Failed with `wrong`."""
    machine = machine_since(stack, since, stalls)
    for finding in machine.findings:
        if not finding.is_failure:
            raise NotJudged(f"{what}: {finding.sentence}", next_step=finding.next_step)
        raise Failed.of(replace(finding, because=(*finding.because, Fact(what, "the check's requests"))))
    if (excuse := machine.excuse()) is not None:
        raise NotJudged(f"{what}, and {excuse}.", next_step=machine.next_step)
    if down := _down(stack):
        raise NotJudged(f"{what}; {', '.join(down)} is not running.", next_step="labkit up")
    service = next((name for name in stack.services if name in what), stack.services[-1])
    raise Failed.of(replace(wrong, next_step=wrong.next_step or f"labkit logs {service}"))


def machine_since(stack: Stack, since: float, stalls: Sequence[environment.Event]) -> Machine:
    """Return what has happened to the processes since then (epoch seconds)."""
    runtime = runtimes.of_stack(stack)
    seen = environment.events(runtime, since, faults_behind.spans(stack.directory))
    events = [*environment.with_ports(stack, runtime, seen), *stalls]
    with closing(database.new()) as connection:
        database.insert(connection, "environment", [event.row() for event in events])
        database.insert(connection, "last_words", last_words.rows(runtime, stack.services, since, seen))
        database.set_complete(connection, "environment", runtime.why_events_missing(since))
        return machine_of(connection)


def _down(stack: Stack) -> list[str]:
    """Return the components that are down although no fault stopped them."""
    meant = {fault.target for fault in Ledger(stack.directory).open()}
    runtime = runtimes.of_stack(stack)
    return [component.name for component in stack.components if not runtime.runs(component.name) and component.name not in meant]
