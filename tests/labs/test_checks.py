"""`labkit lab N check` of solved labs: verdicts, exit codes, JSON, seeds, and the remains of earlier attempts."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from labkit.catalog import run
from labkit.catalog.labs import all_labs, find_lab
from labkit.checking import trial
from labkit.stack import state
from labkit.workspace.lab_status import check_ids
from tests.e2e.shop import get, new_customer, new_order, order_state, post, request
from tests.running import ROOT, Labkit, RunningStack, in_soak, wait_until
from tests.workspace.kit import Learner, read_until

CHECKS = {lab.number: len(check_ids(lab)) for lab in all_labs()}
WITH_EVIDENCE = {1: ["1.5"], 2: ["2.3"], 3: ["3.3"]}  # a check that reads the stores; a lab without an entry runs all its checks


@pytest.fixture(scope="module")
def workshop(labkit_home: Path, runtime: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learner]:
    """A learner with a running stack. Each lab has been started and solved, in order."""
    labkit = Labkit(labkit_home, f"checks-{runtime}", {"LABKIT_RUNTIME": runtime})
    folder = tmp_path_factory.mktemp("checks")
    Learner(labkit, ROOT, folder)("init", "workshop")
    learner = Learner(labkit, ROOT, folder / "workshop")
    try:
        learner("up")
        for lab in CHECKS:
            learner("lab", str(lab), "start")
            learner("lab", str(lab), "solution", "--apply", "--yes")
        learner.write("saga.yml", (ROOT / "labs/02-choreography-saga/solution/saga.yml").read_text())
        yield learner
    finally:
        labkit("down", "--data")


@pytest.fixture
def stack(workshop: Learner) -> RunningStack:
    return RunningStack(workshop.labkit)


def judged(workshop: Learner, lab: int, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = workshop("lab", str(lab), "check", *arguments, "--json", ok=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("lab", [*in_soak(1), 2, *in_soak(3)])
def test_all_checks_of_a_solved_lab_pass(workshop: Learner, stack: RunningStack, lab: int) -> None:
    """(tests/screens/test_newcomer.py shows the checks of the other labs pass in CI.)"""
    done = workshop("lab", str(lab), "check")
    shown = [line.split()[:2] for line in done.stdout.splitlines() if line.startswith("  ✓")]
    assert shown == [["✓", f"{lab}.{n}"] for n in range(1, CHECKS[lab] + 1)]
    assert f"{CHECKS[lab]} passed in " in done.stdout


def test_one_check_alone(workshop: Learner, stack: RunningStack) -> None:
    code, data = judged(workshop, 2, "2.3")
    assert (code, data["verdict"]) == (0, "pass")
    assert [c["id"] for c in data["checks"]] == ["2.3"]


def test_a_check_that_watches_judges_again_whenever_something_is_saved(workshop: Learner, stack: RunningStack) -> None:
    file = "services/customers/handlers.py"
    good = workshop.read(file)
    try:
        with workshop.begun("lab", "2", "check", "2.3", "--watch") as process:
            read_until(process, "1 passed in ")
            read_until(process, "checks run again when you save. Ctrl-C stops.")
            workshop.write(file, good + "\nsyntax error\n")
            read_until(process, "customers ended at once: SyntaxError in services/customers/handlers.py, line ")
            workshop.write(file, (ROOT / "labs/02-choreography-saga/starter" / file).read_text())
            read_until(process, "Restarted with your changes: customers.")
            read_until(process, "1 failed in ")
            read_until(process, "Watching ")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 1, "as the last check ended"
    finally:
        workshop.write(file, good)
        workshop("restart", "customers")
    assert judged(workshop, 2, "2.3")[0] == 0


def test_a_check_that_there_is_not(workshop: Learner, stack: RunningStack) -> None:
    done = workshop("lab", "2", "check", "2.9", ok=False)
    assert done.returncode == 254
    assert "Lab 2 has no check 2.9; it has 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7." in done.stderr


def test_a_seed_gives_the_same_names_and_amounts_and_other_ids(workshop: Learner, stack: RunningStack) -> None:
    def made() -> tuple[set[tuple[Any, ...]], set[int]]:
        before = stack.sql("select coalesce(max(id), 0) as last from customer_db.customer")[0]["last"]
        code, data = judged(workshop, 1, "1.2", "1.3", "--seed", "42")
        assert (code, data["seed"]) == (0, 42)
        rows = stack.sql("select id, name, amount from customer_db.customer where id > %s", before)
        return {(row["name"], row["amount"]) for row in rows}, {row["id"] for row in rows}

    (once, ids), (again, others) = made(), made()
    assert once == again
    assert len(once) == 2
    assert not ids & others


def test_1_1_a_service_that_does_not_run_is_named(workshop: Learner, stack: RunningStack) -> None:
    stack.kill("customers")
    code, data = judged(workshop, 1)
    stack.labkit("up")
    first, *others = data["checks"]
    assert (code, first["verdict"]) == (1, "fail")
    assert first["sentence"] == "customers is not running: it ended by signal 9."
    assert first["next"] == "labkit up"
    assert {c["verdict"] for c in others} == {"unknown"}


def test_a_server_that_does_not_run_is_no_fault_of_the_code(workshop: Learner, stack: RunningStack) -> None:
    stack.kill("redis")
    code, data = judged(workshop, 1)
    stack.labkit("up")
    assert code == 2
    assert {c["verdict"] for c in data["checks"]} == {"unknown"}


SLOW = """
import os
import time
if os.path.exists({marker!r}):
    time.sleep(15)
open({marker!r}, "w").close()
"""


def test_what_labkit_has_not_brought_back_is_not_judged(workshop: Learner, stack: RunningStack, tmp_path: Path) -> None:
    """The second start of customers takes longer than labkit waits, so it is down while the other checks run."""
    file = "services/customers/app.py"
    good, marker = workshop.read(file), tmp_path / "started once"
    workshop.write(file, good + SLOW.format(marker=str(marker)))
    try:
        workshop("restart", "customers")
        done = workshop("lab", "1", "check", "--json", ok=False, LABKIT_START_TIMEOUT="3")
    finally:
        workshop.write(file, good)
        workshop("restart", "customers")
    checks = {c["id"]: c for c in json.loads(done.stdout)["checks"]}
    assert marker.exists()
    assert done.returncode == 2, done.stdout
    assert not [c for c in checks.values() if c["verdict"] == "fail"], done.stdout
    assert checks["1.7"]["sentence"].startswith("labkit has not restored what it stopped: customers: it does not answer")


def test_a_service_that_does_not_start_is_told_as_json_too(workshop: Learner, stack: RunningStack) -> None:
    file = "services/customers/app.py"
    good = workshop.read(file)
    workshop.write(file, good + "\nraise ImportError('not here')\n")
    try:
        code, data = judged(workshop, 1)
    finally:
        workshop.write(file, good)
        workshop("restart", "customers")
    assert (code, data["verdict"]) == (1, "fail")
    assert data["error"]["message"].startswith("customers ended at once: ImportError in services/customers/app.py, line ")
    assert data["error"]["message"].partition("\n")[0].endswith(": not here.")
    assert data["error"]["next"]


def test_what_earlier_attempts_left_is_one_note_and_changes_nothing(workshop: Learner, stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    order = new_order(gateway, ada, "12.34")
    wait_until(lambda: order_state(gateway, order)[0] == "APPROVED", "the order is approved")
    post(f"{gateway}/orders/{order}/cancel")
    wait_until(lambda: not _reserved(stack, order), "its credit is free")
    try:
        # what a missing handler leaves: a hanging order, a reservation that was not released; and a message that was given up
        stack.sql("insert into order_db.orders (customer_id, amount, state, version) values (%s, 1.00, 'PENDING', 0)", ada)
        stack.sql("insert into customer_db.customer_credit_reservations values (%s, %s, 12.34)", ada, order)
        stack.sql(
            "insert into order_db.dead_letter (subscriber, channel, channel_partition, position, message_index, cause, creation_time)"
            " values ('customerServiceEvents', 'Customer', 0, 0, 0, 'KeyError', %s)",
            int(time.time() * 1000) - 60_000,
        )
        for lab in CHECKS:
            done = workshop("lab", str(lab), "check", *WITH_EVIDENCE.get(lab, []))
            notes = [line for line in done.stdout.splitlines() if line.startswith("Note: ")]
            assert len(notes) == 1
            assert "is still PENDING" in notes[0]
            assert "left over" in notes[0]
    finally:
        stack.labkit("reset", "--yes")


def _reserved(stack: RunningStack, order: int) -> list[dict[str, Any]]:
    return stack.sql("select * from customer_db.customer_credit_reservations where credit_reservations_key = %s", order)


def test_right_after_a_reset_partitions_without_a_record_keep_nobody_waiting(workshop: Learner, stack: RunningStack) -> None:
    """The records are deleted but the offsets remain, and the view's store has neither."""
    assert judged(workshop, 3, "3.1")[0] == 0
    stack.labkit("reset", "--yes")
    stack.sql("alter table customer_db.customer auto_increment = 12")  # customers 12 to 15 are all in partitions 2 and 3
    assert judged(workshop, 3, "3.1")[0] == 0


def test_an_order_that_ends_later_than_soon_is_waited_for(workshop: Learner, stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that a check polls before it waits for stillness has no influence: on a busy machine every order takes longer."""
    monkeypatch.setattr(trial, "SOON_S", 0.0)
    monkeypatch.setenv("LABKIT_HOME", str(workshop.labkit.home))
    monkeypatch.chdir(workshop.folder)
    lab, running = find_lab(2), state.load(workshop.labkit.name)
    workshop("fault", "gate", "customers", "--for", "3s")
    outcomes, _ = asyncio.run(run.judge(running, lab, [each for each in lab.checks() if each.id == "2.1"], 1))
    assert [outcome.verdict.value for outcome in outcomes] == ["pass"], outcomes


def test_an_order_that_the_check_did_not_place_makes_it_unknown(workshop: Learner, stack: RunningStack) -> None:
    """During the check, another client orders for the check's own customer. A trigger does this, because no client is fast enough."""
    stack.sql(
        "create trigger customer_db.stranger after insert on customer_db.customer for each row"
        " insert into order_db.orders (customer_id, amount, state, rejection_reason, version) values (new.id, 0.07, 'PENDING', null, 0)"
    )
    try:
        code, data = judged(workshop, 2, "2.3")
    finally:
        stack.sql("drop trigger customer_db.stranger")
        stack.labkit("reset", "--yes")
    assert (code, data["checks"][0]["verdict"]) == (2, "unknown")
    assert "(0.07) of customer" in data["checks"][0]["sentence"]
    assert "was not placed by this check" in data["checks"][0]["sentence"]


def test_the_order_history_counts_and_adds_up(workshop: Learner, stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    new_order(gateway, ada, "12.34")
    new_order(gateway, ada, "15.00")

    def decided() -> bool:
        status, shown = request("GET", f"{gateway}/customers/{ada}/orderhistory")  # 404 until the view has processed the first event
        return status == 200 and {o["state"] for o in json.loads(shown)["orders"].values()} == {"APPROVED", "REJECTED"}

    wait_until(decided, "the view shows both decided")
    shown = get(f"{gateway}/customers/{ada}/orderhistory")
    assert (shown["orderCount"], shown["totalApproved"]) == (2, {"amount": Decimal("12.34")})


@pytest.mark.soak
@pytest.mark.parametrize("lab", CHECKS)
@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "busy"])
def test_twenty_times_in_a_row(workshop: Learner, stack: RunningStack, lab: int, busy: bool) -> None:
    """Also next to another process that uses both cores."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 if busy else 0)]
    try:
        for _ in range(20):
            done = workshop("lab", str(lab), "check", ok=False)
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
