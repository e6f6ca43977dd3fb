"""labkit distinguishes the process ends that it caused from all others."""

import os
import signal

from labkit.evidence import environment
from labkit.faults import blame
from labkit.faults.blame import Span
from tests.faults.faults import Faults
from tests.running import RunningStack, wait_until


def test_what_faults_ended_is_told_from_what_others_did(stack: RunningStack, faults: Faults) -> None:
    kill = faults("kill", "customers")
    faults.heal(kill)
    crash = faults("crash", "relay", "relay.after_publish_before_mark")
    faults.order()
    faults.await_hit("relay", crash, "crash")
    faults.end("relay", crash["made"])
    faults.heal(crash)
    pid = stack.pid("orders")
    os.kill(pid, signal.SIGKILL)
    stack.wait_ended(pid)
    faults.end("orders", crash["made"])
    known = blame.spans(stack.labkit.directory)

    def behind(component: str, since: float) -> str | None:
        ends = [e for e in stack.runtime.events(since - 0.1) if (e["component"], e["event"]) == (component, "end")]
        span = blame.span_behind(known, component, "end", ends[-1]["time"])
        return span.fault_id if span else None

    assert behind("customers", kill["made"]) == kill["id"]
    assert behind("relay", crash["made"]) == crash["id"]
    assert behind("orders", crash["made"]) is None
    stack.labkit("up")


def test_how_the_next_process_ends_is_its_own_doing(stack: RunningStack, faults: Faults) -> None:
    """The next end falls within the two seconds in which an end caused by a fault may still be seen."""
    kill = faults("kill", "customers")
    faults.heal(kill)
    pid = stack.pid("customers")
    os.kill(pid, signal.SIGKILL)
    stack.wait_ended(pid)

    def ends() -> list[bool | None]:
        seen = environment.events(stack.runtime, kill["made"] - 0.1, blame.spans(stack.labkit.directory))
        return [event.by_labkit for event in seen if (event.component, event.event) == ("customers", "end")]

    wait_until(lambda: len(ends()) == 2, "both ends are written down")
    assert ends() == [True, None]
    stack.labkit("up")


def test_of_two_faults_close_to_each_other_the_later_one_is_behind_an_end() -> None:
    """The precision of the clocks allows both orders. A healed fault has no reason to end the process."""
    spans = [Span(fault_id, "orders", frozenset({"end"}), since, since + 2.2) for fault_id, since in (("1", 99.8), ("2", 100.8))]

    def behind(component: str, happened: float) -> str | None:
        span = blame.span_behind(spans, component, "end", happened)
        return span.fault_id if span else None

    assert behind("orders", 100.0) == "1"
    assert behind("orders", 101.0) == "2"
    assert behind("orders", 104.0) is None
    assert behind("customers", 101.0) is None
