"""labkit and the holder are killed in the middle of a fault: the next command heals what they left, and reports it."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from labkit.faults.ledger import Ledger
from tests.e2e.shop import new_customer, new_order
from tests.faults.faults import Faults, holders
from tests.running import Labkit, RunningStack, wait_until

VERBS = ("gate", "crash", "barrier", "duplicate", "reorder", "lock", "kill", "stop", "pause", "delay", "poison", "trim", "tick", "switch")
IN_CI = ("gate", "lock", "kill")


def words(verb: str, faults: Faults) -> list[str]:
    """The arguments of a fault of this kind."""
    match verb:
        case "gate":
            return ["gate", "customers"]
        case "crash":
            return ["crash", "customers", "consumer.after_commit_before_ack"]
        case "barrier":
            return ["barrier", "customers", "customer.reserve.between_read_and_write"]
        case "duplicate":
            return ["duplicate", faults.message_of(new_order(faults.gateway, new_customer(faults.gateway), "1.00"))]
        case "reorder":
            first, second = (faults.message_of(faults.order()) for _ in range(2))
            return ["reorder", first, second]
        case "lock":
            return ["lock", "customer", str(new_customer(faults.gateway))]
        case "kill" | "stop" | "pause":
            return [verb, "order-history"]
        case "delay":
            return ["delay", "gateway", "100ms", "--route", "GET /orders"]
        case "poison":
            return ["poison", "customer"]
        case "trim":
            return ["trim", "customer", "--before", "0"]
        case "tick":
            return ["tick"]
        case _:
            return ["switch", "orders", "batch", "1"]


def dying(labkit: Labkit, place: str) -> Labkit:
    return replace(labkit, environment={"LABKIT_DIE_AT": place})


def is_healed_by_the_next_command(faults: Faults, fault_id: str) -> None:
    before = faults.labkit("status", ok=False).stdout
    assert f"Fault {fault_id} was left behind" in before
    assert faults.get({"id": fault_id})["state"] != "healed", "a command that only reads has healed it"
    said = faults.labkit("fault", "switch", "gateway", "nothing", "1").stdout
    assert f"Healed fault {fault_id}, left behind" in said
    assert faults.get({"id": fault_id})["state"] == "healed"
    faults.heal_all()
    faults.assert_nothing_left()


def last(faults: Faults) -> str:
    return max((fault.id for fault in Ledger(faults.labkit.directory).all()), key=int)


def killed_before_or_after_the_act(faults: Faults, verb: str) -> None:
    for place in ("intent", "act"):
        died = dying(faults.labkit, place)("fault", *words(verb, faults), ok=False)
        assert died.returncode == -signal.SIGKILL
        is_healed_by_the_next_command(faults, last(faults))


def killed_in_the_middle_of_a_heal(faults: Faults, verb: str) -> None:
    for place in ("healing", "undone"):
        if verb in ("duplicate", "poison", "trim", "tick"):  # these heal immediately
            died = dying(faults.labkit, place)("fault", *words(verb, faults), ok=False)
        else:
            fault = faults(*words(verb, faults))
            died = dying(faults.labkit, place)("heal", fault["id"], ok=False)
        assert died.returncode == -signal.SIGKILL
        is_healed_by_the_next_command(faults, last(faults))


@pytest.mark.parametrize("verb", IN_CI)
def test_labkit_is_killed_before_or_after_the_act(faults: Faults, verb: str) -> None:
    killed_before_or_after_the_act(faults, verb)


def test_a_planted_record_whose_place_nobody_learned_is_known_for_planted(stack: RunningStack, faults: Faults) -> None:
    """The broker stored the record, and labkit was killed before it recorded the position. A lost answer has the same effect."""
    stack.labkit("reset", "--yes")
    died = dying(faults.labkit, "planted")("fault", "poison", "order", ok=False)
    assert died.returncode == -signal.SIGKILL
    wait_until(lambda: stack.sql("SELECT * FROM customer_db.dead_letter"), "the record is parked")
    poison = last(faults)
    is_healed_by_the_next_command(faults, poison)
    judged = stack.labkit("verify", "--json")
    assert "planted" not in faults.all()[poison]["facts"]
    assert json.loads(judged.stdout)["verdict"] == "pass", judged.stdout


@pytest.mark.parametrize("verb", IN_CI)
def test_labkit_is_killed_in_the_middle_of_a_heal(faults: Faults, verb: str) -> None:
    killed_in_the_middle_of_a_heal(faults, verb)


@pytest.mark.soak
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in IN_CI])
def test_labkit_is_killed_at_any_place_of_any_fault(faults: Faults, verb: str) -> None:
    killed_before_or_after_the_act(faults, verb)
    killed_in_the_middle_of_a_heal(faults, verb)


def test_the_holder_is_killed_and_with_it_its_locks(stack: RunningStack, faults: Faults) -> None:
    lock = faults("lock", "customer", str(new_customer(faults.gateway)))
    os.kill(faults.holder(), signal.SIGKILL)
    wait_until(lambda: not holders(faults.labkit), "the holder is gone")
    is_healed_by_the_next_command(faults, lock["id"])


def test_the_holder_is_killed_before_a_fault_has_its_time(faults: Faults) -> None:
    pause = faults("pause", "customers", "--for", "8s")
    os.kill(faults.holder(), signal.SIGKILL)
    wait_until(lambda: faults.get(pause)["left_behind"], "its time is up")
    assert faults.is_frozen("customers")
    is_healed_by_the_next_command(faults, pause["id"])
    assert not faults.is_frozen("customers")


def test_the_next_command_starts_a_killed_holder_again(faults: Faults) -> None:
    pause = faults("pause", "order-history", "--for", "8s")
    os.kill(faults.holder(), signal.SIGKILL)
    wait_until(lambda: not holders(faults.labkit), "the holder is gone")
    faults.labkit("fault", "switch", "orders", "nothing", "1")
    wait_until(lambda: faults.get(pause)["state"] == "healed", "the new holder heals it")


def test_what_was_set_by_hand_stays_and_is_named(faults: Faults) -> None:
    gate = faults("gate", "customers")
    for command in (["status"], ["logs"], ["load", "--seconds", "0.2", "--clients", "1", "--customers", "1"]):
        done = faults.labkit(*command, ok=False)
        assert f"Fault {gate['id']}, set by hand" in done.stdout + done.stderr, command
    assert faults.get(gate)["state"] == "active"


def test_a_check_heals_first_and_says_so(faults: Faults) -> None:
    gate = faults("gate", "customers")
    done = faults.labkit("lab", "1", "check", "1.1", ok=False)
    assert f"Healed fault {gate['id']} first" in done.stdout


def test_up_ends_an_outage_and_says_so(faults: Faults) -> None:
    kill = faults("kill", "order-history")
    assert f"This ends fault {kill['id']}: " in faults.labkit("up").stdout
    assert faults.get(kill)["state"] == "healed"


def test_down_and_reset_leave_no_fault_behind(new_labkit: Callable[..., Labkit]) -> None:
    labkit = new_labkit("fault-down")
    labkit("up")
    faults = Faults(RunningStack(labkit))
    gate = faults("gate", "customers", "--for", "60m")
    pause = faults("pause", "redis")
    labkit("down")
    assert labkit.processes() == {}
    assert {faults.get(gate)["state"], faults.get(pause)["state"]} == {"healed"}
    labkit("up")
    faults = Faults(RunningStack(labkit))  # another stack may have taken its ports meanwhile
    faults.becomes(faults.order(), "APPROVED")
    kill = faults("kill", "customers")
    labkit("reset", "--yes")
    assert faults.get(kill)["state"] == "healed"
