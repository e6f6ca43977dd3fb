"""The fault ledger: which faults concern work that began at a mark."""

from pathlib import Path

from labkit.faults.ledger import BY_HAND, Fault, Ledger, this_process


def applied(ledger: Ledger, said: str) -> Fault:
    return ledger.tell("applied", ledger.intend("gate", "orders", said, {}, this_process(BY_HAND, "a test"), None))


def healed(ledger: Ledger, fault: Fault) -> None:
    ledger.tell("healed", ledger.tell("healing", fault))


def test_a_fault_that_was_over_at_the_mark_is_left_out(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    healed(ledger, applied(ledger, "over before"))
    open_at_the_mark = applied(ledger, "open at the mark")
    mark = ledger.path.stat().st_size
    healed(ledger, open_at_the_mark)
    healed(ledger, applied(ledger, "after the mark"))
    assert [fault.said for fault in ledger.since(mark)] == ["open at the mark", "after the mark"]
    assert len(ledger.since(0)) == 3


def test_without_a_ledger_there_is_no_fault(tmp_path: Path) -> None:
    assert Ledger(tmp_path).since(100) == []
