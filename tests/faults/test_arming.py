"""Arming returns only when every target has acknowledged. A target that has not is named."""

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.faults.faults import Faults
from tests.running import ROOT, RunningStack, wait_until


def test_a_target_that_does_not_run_is_named(faults: Faults) -> None:
    faults("stop", "customers")
    refused = faults.labkit("fault", "gate", "customers", ok=False)
    assert refused.returncode == 2
    assert "customers is not running" in refused.stderr
    assert faults.armed() == []


def test_a_target_that_is_frozen_is_named(faults: Faults) -> None:
    faults("pause", "customers")
    refused = faults.labkit("fault", "gate", "customers", ok=False)
    assert refused.returncode == 2
    assert "customers is paused" in refused.stderr
    assert faults.armed() == []


def test_a_failpoint_that_does_not_exist_is_refused_with_those_that_do(faults: Faults) -> None:
    refused = faults.labkit("fault", "crash", "customers", "customer.reserve.nowhere", ok=False)
    assert refused.returncode == 1
    assert "customers has no failpoint 'customer.reserve.nowhere'" in refused.stderr
    assert "customer.reserve.between_read_and_write" in refused.stderr
    assert faults.armed() == []


def test_once_it_returns_the_next_message_is_held(faults: Faults) -> None:
    for _ in range(3):
        gate = faults("gate", "customers", "--type", "OrderCreated")
        order = faults.order()
        faults.await_hit("customers", gate, "held")
        faults.stays_pending(order, 0.1)
        faults.heal(gate)
        faults.becomes(order, "APPROVED")


def test_a_service_that_starts_later_is_held_from_its_first_message_on(stack: RunningStack, faults: Faults) -> None:
    """The service loads the armed faults before it joins its group."""
    gate = faults("gate", "customers", "--type", "OrderCreated")
    customer = faults.customer
    kill = faults("kill", "customers")
    order = faults.order_of(customer)
    faults.heal(kill)
    faults.await_hit("customers", gate, "held")
    faults.stays_pending(order)
    faults.heal(gate)
    faults.becomes(order, "APPROVED")


def test_a_gate_opens_at_its_deadline_though_nobody_opens_it(stack: RunningStack, faults: Faults) -> None:
    """The service respects the deadline by itself: the holder is killed first."""
    import os
    import signal

    faults("gate", "customers", "--type", "OrderCreated", "--for", "8s")  # leaves time to kill the holder
    os.kill(faults.holder(), signal.SIGKILL)
    order = faults.order()
    faults.becomes(order, "APPROVED")
    assert len(faults.armed()) == 1


class LateMount:
    """A copy of a control directory that shows changes 2 s late in both directions, like a slow mount."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.theirs = folder / "ours", folder / "theirs"
        for side in (self.ours, self.theirs):
            (side / "armed").mkdir(parents=True)
            (side / "hits" / "customers").mkdir(parents=True)

    def carry(self, ended: threading.Event) -> None:
        """Copy the state of 2 s ago, until ended."""
        pending: list[tuple[float, Path, bytes]] = []
        seen: dict[Path, bytes] = {}
        while not ended.is_set():
            for source, target, part in ((self.ours, self.theirs, "armed/armed.json"), (self.theirs, self.ours, "hits/customers/ack.json")):
                path = source / part
                if path.exists() and (text := path.read_bytes()) != seen.get(path):
                    seen[path] = text
                    pending.append((time.monotonic() + 2.0, target / part, text))
            while pending and pending[0][0] <= time.monotonic():
                _, path, text = pending.pop(0)
                aside = path.with_name(f".{path.name}.late")
                aside.write_bytes(text)
                aside.replace(path)
            time.sleep(0.01)


SERVICE = """
import asyncio
from services.workshop.armed import armed
from services.workshop.control import under_control
from services.workshop.failpoint import failpoint
async def main():
    armed.declare("a.point")
    async with under_control():
        while True:
            await failpoint("a.point")
            await asyncio.sleep(0.01)
asyncio.run(main())
"""


def test_a_directory_that_is_seen_late_by_2_s_is_waited_for(tmp_path: Path) -> None:
    from labkit.faults import control
    from labkit.faults.ledger import BY_HAND, Ledger, this_process

    mount = LateMount(tmp_path)
    stack_directory = tmp_path / "stack"
    stack_directory.mkdir()
    (stack_directory / "control").symlink_to(mount.ours)
    environment = {"LABKIT_CONTROL": str(mount.theirs), "LABKIT_COMPONENT": "customers", "PYTHONPATH": str(ROOT)}
    service = subprocess.Popen([sys.executable, "-c", SERVICE], env=environment, stdout=subprocess.DEVNULL)
    ended = threading.Event()
    carrying = threading.Thread(target=mount.carry, args=[ended], daemon=True)
    carrying.start()
    try:
        ledger = Ledger(stack_directory)
        settings = {"armed": [{"kind": "crash", "target": "customers", "point": "a.point", "hit": 1}]}
        ledger.intend("crash", "customers", "it ends", settings, this_process(BY_HAND, "test"), None)
        generation = control.write_armed(ledger)
        started = time.monotonic()
        wait_until(lambda: (ack := control.acknowledged(stack_directory, "customers")) and ack.generation >= generation, "it acknowledges")
        assert time.monotonic() - started >= 2.0
        assert control.ACKNOWLEDGE_S > 4.0
        assert service.wait(30) == 137
        line = (mount.theirs / "hits" / "customers" / "hits.jsonl").read_text()
        assert '"what":"crash"' in line
    finally:
        ended.set()
        carrying.join()
        service.kill()
        service.wait()
        shutil.rmtree(tmp_path, ignore_errors=True)
