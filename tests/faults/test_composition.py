"""Several faults at once: they compose and heal in reverse order, and healing one leaves the others."""

import pytest

from tests.e2e.shop import new_order
from tests.faults.faults import Faults
from tests.running import RunningStack, wait_until


def test_two_gates_on_one_message_open_one_after_the_other(faults: Faults) -> None:
    first = faults("gate", "customers", "--type", "OrderCreated")
    order = faults.order()
    faults.await_hit("customers", first, "held")
    second = faults("gate", "customers")
    faults.heal(first)
    faults.await_hit("customers", second, "held")
    faults.stays_pending(order)
    faults.heal(second)
    faults.becomes(order, "APPROVED")


def test_healing_one_of_two_pauses_leaves_the_other(faults: Faults) -> None:
    first, second = faults("pause", "customers"), faults("pause", "customers")
    faults.heal(first)
    assert faults.is_frozen("customers")
    assert faults.get(second)["state"] == "active"
    faults.heal(second)
    assert not faults.is_frozen("customers")


def test_a_gate_and_a_kill_of_one_service(stack: RunningStack, faults: Faults) -> None:
    gate = faults("gate", "customers", "--type", "OrderCreated")
    customer = faults.customer
    kill = faults("kill", "customers")
    order = faults.order_of(customer)
    faults.heal(kill)
    faults.await_hit("customers", gate, "held")
    faults.stays_pending(order)
    assert faults.get(gate)["state"] == "active"
    faults.heal(gate)
    faults.becomes(order, "APPROVED")


@pytest.mark.both_runtimes
def test_a_gate_is_healed_also_when_its_service_ends_meanwhile(faults: Faults) -> None:
    """The message behind the gate ends the service, perhaps before it records that the gate is open."""
    gate = faults("gate", "customers", "--type", "OrderCreated")
    crash = faults("crash", "customers", "consumer.after_inbox_insert")
    order = faults.order()
    faults.await_hit("customers", gate, "held")
    faults.heal(gate)
    faults.end("customers", crash["made"])
    faults.heal(crash)
    faults.becomes(order, "APPROVED")


def test_a_heal_leaves_the_waiting_to_an_outage_that_begins_meanwhile(stack: RunningStack, faults: Faults) -> None:
    """The later outage explains why the component is not ready, so the first heal reports no remains."""
    with stack.paused("kafka"):  # not a fault of labkit: without kafka, customers does not become ready
        kill = faults("kill", "customers")
        heal = stack.labkit.begin("heal", kill["id"])
        wait_until(lambda: faults.get(kill)["state"] == "healed", "customers is started again")
        stop = faults("stop", "relay")
        said, _ = heal.communicate(timeout=60)
    assert heal.returncode == 0, said
    assert "not ready" not in said
    faults.heal(stop)


def test_all_are_healed_the_last_one_first(stack: RunningStack, faults: Faults) -> None:
    """The services cannot become ready while Kafka and MySQL are down, so their heals must not wait for that."""
    customer = faults.customer
    made = [faults("kill", "kafka"), faults("kill", "orders"), faults("pause", "mysql"), faults("kill", "relay")]
    said = stack.labkit("heal", "--all").stdout
    order = [line.split()[2].rstrip(":") for line in said.splitlines() if line.startswith("Healed fault")]
    assert order == [fault["id"] for fault in reversed(made)]
    faults.becomes(new_order(faults.gateway, customer, "1.00"), "APPROVED")
