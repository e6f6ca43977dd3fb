"""Why something did not happen: was it the machine, or the code?"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import NoReturn

from labkit.evidence import database, environment, last_words
from labkit.explanation import Explanation, Fact
from labkit.faults import blame as faults_behind
from labkit.faults.ledger import Ledger
from labkit.judging.machine import Machine, machine_of
from labkit.lab.check import Failed, NotJudged
from labkit.stack import runtimes
from labkit.stack.model import Stack


def blame(stack: Stack, since: float, stalls: Sequence[environment.Event], wrong: Explanation, what: str) -> NoReturn:
    """Raise Failed when a service ended by itself since then (epoch seconds), NotJudged when the machine stood in the way. When neither
    happened it is the code, and Failed says what is `wrong`."""
    machine = machine_since(stack, since, stalls)
    for finding in machine.findings:
        if not finding.is_failure:
            raise NotJudged(f"{what}: {finding.sentence}", next_step=finding.next_step)
        raise Failed.of(replace(finding.explanation, because=(*finding.because, Fact(what, "the check's requests"))))
    if (excuse := machine.excuse()) is not None:
        raise NotJudged(f"{what}, and {excuse}.", next_step=machine.next_step)
    if down := _down(stack):
        raise NotJudged(f"{what}; {', '.join(down)} does not run.", next_step="labkit up")
    service = next((name for name in stack.services if name in what), stack.services[-1])
    raise Failed.of(replace(wrong, next_step=wrong.next_step or f"labkit logs {service}"))


def machine_since(stack: Stack, since: float, stalls: Sequence[environment.Event]) -> Machine:
    """What has happened to the processes since then."""
    runtime = runtimes.of_stack(stack)
    seen = environment.events(runtime, since, faults_behind.spans(stack.directory))
    events = [*environment.with_ports(stack, runtime, seen), *stalls]
    with closing(database.new()) as connection:
        database.insert(connection, "environment", [event.row() for event in events])
        database.insert(connection, "last_words", last_words.rows(runtime, stack.services, since, seen))
        database.set_complete(connection, "environment", runtime.unwatched(since))
        return machine_of(connection)


def _down(stack: Stack) -> list[str]:
    """The components that do not run, though no fault says so."""
    meant = {fault.target for fault in Ledger(stack.directory).open()}
    runtime = runtimes.of_stack(stack)
    return [component.name for component in stack.components if not runtime.runs(component.name) and component.name not in meant]
