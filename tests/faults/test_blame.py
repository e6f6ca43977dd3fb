"""Ends that labkit brought about are told from those that it did not."""

import os
import signal

from labkit.faults import blame
from labkit.faults.blame import Span
from tests.faults.faults import Faults
from tests.running import RunningStack


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
        return blame.fault_behind(known, component, "end", ends[-1]["time"])

    assert behind("customers", kill["made"]) == kill["id"]
    assert behind("relay", crash["made"]) == crash["id"]
    assert behind("orders", crash["made"]) is None
    stack.labkit("up")


def test_of_two_faults_close_to_each_other_the_later_one_is_behind_an_end() -> None:
    """The clocks' precision makes both possible: what was healed has no reason any more to end it."""
    spans = [Span(fault_id, "orders", frozenset({"end"}), since, since + 2.2) for fault_id, since in (("1", 99.8), ("2", 100.8))]
    assert blame.fault_behind(spans, "orders", "end", 100.0) == "1"
    assert blame.fault_behind(spans, "orders", "end", 101.0) == "2"
    assert blame.fault_behind(spans, "orders", "end", 104.0) is None
    assert blame.fault_behind(spans, "customers", "end", 101.0) is None
