"""Each primitive: its effect is visible from outside, its hit is proven twice, and healing leaves no trace (see conftest).

Tests also run on Docker where the runtime matters: for faults that reach a service through its mount, or end or delay it. Faults that only
use Kafka or MySQL work the same there; `make soak` runs them on Docker too. tests/stack kills, pauses and cuts every component. The fault
and its proof are the same for each component, so CI runs one.
"""

import json
import signal
import time
from functools import partial

import pytest

from labkit.faults import positions
from labkit.stack.runtime import CUT, RUNNING
from tests.e2e.shop import CUSTOMER_CHANNEL, ORDER_CHANNEL, eventually, get, new_customer, new_order, request
from tests.faults.faults import GROUPS, Faults
from tests.running import RunningStack, in_soak, wait_until


@pytest.mark.both_runtimes
def test_a_gate_holds_one_partition_and_the_others_go_on(stack: RunningStack, faults: Faults) -> None:
    first = faults.order()
    faults.becomes(first, "APPROVED")
    partition = stack_partition(stack, first)
    gate = faults("gate", "customers", "--type", "OrderCreated", "--partition", str(partition))
    inside: list[int] = []
    outside: list[int] = []
    while not (inside and outside and len(inside) + len(outside) >= 12):  # the partition of an order depends on the earlier orders
        order = faults.order()
        (inside if stack_partition(stack, order) == partition else outside).append(order)
    for order in outside:
        faults.becomes(order, "APPROVED")
    (held,) = faults.await_hit("customers", gate, "held")
    assert (held["partition"], held["message_id"]) == (partition, faults.message_of(inside[0]))
    assert all(faults.state(order) == "PENDING" for order in inside)
    assert faults.committed(GROUPS["customers"], ORDER_CHANNEL, partition) <= int(held["position"])
    faults.fires(gate)
    faults.heal(gate)
    for order in inside:
        faults.becomes(order, "APPROVED")


def stack_partition(stack: RunningStack, order: int) -> int:
    return positions.partition_of(stack.described, str(order), 4)


def test_a_gate_for_one_message_lets_the_others_of_its_type_pass(faults: Faults) -> None:
    gate = faults("gate", "order-history", "--key", "1000000", "--channel", "order")
    order = faults.order()
    faults.becomes(order, "APPROVED")
    assert faults.hits("order-history", gate) == []
    assert not faults.get(gate)["fired"]


@pytest.mark.both_runtimes
def test_a_crash_ends_the_service_at_its_hit_and_healing_starts_it_again(stack: RunningStack, faults: Faults) -> None:
    crash = faults("crash", "relay", "relay.after_publish_before_mark")
    since = time.time()
    order = faults.order()
    (hit,) = faults.await_hit("relay", crash, "crash")
    end = faults.end("relay", since)
    assert end.exit_code == 137 or end.signal == signal.SIGKILL  # an engine cannot distinguish them
    outboxes = "select id, published from customer_db.message union all select id, published from order_db.message"
    assert {row["id"]: row["published"] for row in stack.sql(outboxes)}[hit["message_id"]] == 0
    faults.fires(crash)
    faults.heal(crash)
    faults.becomes(order, "APPROVED")


def test_two_handlers_meet_at_a_barrier(stack: RunningStack, faults: Faults) -> None:
    barrier = faults("barrier", "customers", "customer.reserve.between_read_and_write", "--timeout", "20s")
    customers = [new_customer(faults.gateway) for _ in range(8)]
    orders = [new_order(faults.gateway, customer, "1.00") for customer in customers]  # separate customers: no transaction waits for a row
    (met,) = faults.await_hit("customers", barrier, "met")
    assert len(set(met["parties"])) == 2
    for order in orders:
        faults.becomes(order, "APPROVED")
    faults.fires(barrier)
    assert faults.hits("customers", barrier, "not met") == []


def test_handlers_that_cannot_meet_are_told_and_go_on(faults: Faults) -> None:
    """Both need the same customer's row, and the reference locks it before reading."""
    barrier = faults("barrier", "customers", "customer.reserve.between_read_and_write", "--timeout", "300ms")
    customer = new_customer(faults.gateway)
    orders = [new_order(faults.gateway, customer, "10.00") for _ in range(6)]
    faults.await_hit("customers", barrier, "not met")
    states = sorted(eventually(partial(faults.state, order), lambda s: s != "PENDING") for order in orders)
    assert states == ["APPROVED"] + ["REJECTED"] * 5
    assert not faults.get(barrier)["fired"]
    assert "did not meet" in faults.labkit("fault", "status").stdout


def test_a_duplicate_is_delivered_again_and_has_no_effect_again(stack: RunningStack, faults: Faults) -> None:
    order = faults.order()
    faults.becomes(order, "APPROVED")
    message = faults.message_of(order)
    duplicate = faults("duplicate", message)
    (planted,) = duplicate["facts"]["planted"]
    for component in ("customers", "order-history"):
        faults.await_hit(component, duplicate, "taken")
    faults.passes("customers", ORDER_CHANNEL, planted)
    faults.fires(duplicate)
    assert faults.state(order) == "APPROVED"
    reservations = stack.sql("select count(*) as n from customer_db.customer_credit_reservations where credit_reservations_key = %s", order)
    assert reservations == [{"n": 1}]


@pytest.mark.native
def test_what_labkit_planted_is_known_after_the_clock_was_set_back(stack: RunningStack, faults: Faults) -> None:
    """The ledger as it would be if the clock had been set back by two hours after the reset."""
    stack.labkit("reset", "--yes")
    order = faults.order()
    faults.becomes(order, "APPROVED")
    faults.fires(faults("duplicate", faults.message_of(order)))
    path = stack.labkit.directory / "faults.jsonl"
    written = path.read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    for line in lines:
        part = line.get("fault", line)
        part |= {name: part[name] - 7200 for name in ("time", "made") if name in part}
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    judged = json.loads(stack.labkit("verify", "--json", ok=False).stdout)
    path.write_text(written)
    assert judged["verdict"] == "pass", judged


def test_a_later_message_is_taken_before_an_earlier_one(stack: RunningStack, faults: Faults) -> None:
    gate = faults("gate", "customers", "--type", "OrderCreated")
    early, late = faults.order(), faults.order()
    faults.await_hit("customers", gate, "held")
    reorder = faults("reorder", faults.message_of(early), faults.message_of(late), "--subscriber", "customers")
    faults.heal(gate)
    faults.becomes(early, "APPROVED")
    faults.becomes(late, "APPROVED")
    faults.fires(reorder)
    of_customers = "from customer_db.received_messages where consumer_id = 'OrderEventConsumer'"
    times = stack.sql(
        f"select message_id, creation_time {of_customers} and message_id in (%s, %s)",
        faults.message_of(early),
        faults.message_of(late),
    )
    taken = {row["message_id"]: row["creation_time"] for row in times}
    assert taken[faults.message_of(late)] <= taken[faults.message_of(early)]


def test_a_locked_row_keeps_its_customer_waiting_and_no_other(stack: RunningStack, faults: Faults) -> None:
    ada, bob = new_customer(faults.gateway), new_customer(faults.gateway)
    lock = faults("lock", "customer", str(ada))
    held = new_order(faults.gateway, ada, "1.00")
    wait_until(stack.somebody_waits_for_a_lock, "somebody waits for the row")
    faults.stays_pending(held)
    faults.fires(lock)
    faults.heal(lock)
    faults.becomes(held, "APPROVED")
    faults.becomes(new_order(faults.gateway, bob, "1.00"), "APPROVED")


@pytest.mark.both_runtimes
@pytest.mark.parametrize("component", ["mysql", *in_soak("customers", "orders", "order-history", "relay", "gateway", "kafka", "redis")])
def test_a_killed_component_is_gone_until_it_is_healed(stack: RunningStack, faults: Faults, component: str) -> None:
    pid = stack.pid(component)
    kill = faults("kill", component)
    assert not stack.runtime.runs(component)
    end = faults.end(component, kill["made"])
    assert end.signal == signal.SIGKILL
    faults.fires(kill)
    healed = faults.heal(kill)
    assert stack.pid(component) != pid
    assert healed["fired"]
    assert (
        healed["facts"]["binlog_at_start"]["position"] >= (healed["facts"]["binlog_at_stop"] or {}).get("position", 0)
        or component == "mysql"
    )
    faults.becomes(faults.order(), "APPROVED")


def test_a_stopped_component_ended_by_itself(stack: RunningStack, faults: Faults) -> None:
    order = faults.order()
    faults.becomes(order, "APPROVED")
    stop = faults("stop", "customers")
    assert faults.end("customers", stop["made"]).asked_for
    waiting = new_order(faults.gateway, 1, "1.00")
    faults.stays_pending(waiting)
    faults.fires(stop)
    faults.heal(stop)
    eventually(lambda: faults.state(waiting), lambda state: state != "PENDING")


@pytest.mark.both_runtimes
@pytest.mark.parametrize("component", ["customers", *in_soak("kafka", "mysql")])
def test_a_paused_component_goes_on_with_what_it_had(stack: RunningStack, faults: Faults, component: str) -> None:
    pid = stack.pid(component)
    pause = faults("pause", component)
    assert faults.is_frozen(component)
    faults.fires(pause)
    faults.heal(pause)
    assert stack.pid(component) == pid
    assert not faults.is_frozen(component)
    faults.becomes(faults.order(), "APPROVED")


@pytest.mark.native
def test_a_component_cannot_be_cut_off_natively(faults: Faults) -> None:
    refused = faults.labkit("fault", "cut", "kafka", ok=False)
    assert refused.returncode == 1
    assert "native runtime cannot cut" in refused.stderr
    assert "labkit fault pause kafka" in refused.stderr
    assert all(fault["verb"] != "cut" for fault in faults.all().values())


@pytest.mark.docker
@pytest.mark.parametrize("component", ["kafka", *in_soak("customers", "relay")])
def test_a_component_is_cut_off_the_network_and_back_again(stack: RunningStack, faults: Faults, component: str) -> None:
    pid = stack.pid(component)
    cut = faults("cut", component)
    assert stack.runtime.status()[component].state == CUT
    faults.fires(cut)
    faults.heal(cut)
    assert stack.runtime.status()[component].state == RUNNING
    assert stack.pid(component) == pid
    faults.becomes(faults.order(), "APPROVED")


def test_a_delayed_route_answers_later_and_others_do_not(stack: RunningStack, faults: Faults) -> None:
    delay = faults("delay", "gateway", "600ms", "--route", "GET /customers/count")
    started = time.monotonic()
    get(f"{faults.gateway}/customers/count")
    assert time.monotonic() - started >= 0.6
    assert len(faults.await_hit("gateway", delay, "delayed")) == 1
    get(f"{faults.gateway}/customers")
    assert len(faults.hits("gateway", delay, "delayed")) == 1


def test_a_delayed_subscriber_takes_longer_for_each_message(faults: Faults) -> None:
    delay = faults("delay", "customers", "700ms", "--type", "OrderCreated")
    customer = faults.customer
    started = time.monotonic()
    order = faults.order_of(customer)
    faults.becomes(order, "APPROVED")
    assert time.monotonic() - started >= 0.7
    (hit,) = faults.hits("customers", delay, "delayed")
    assert hit["message_id"] == faults.message_of(order)


def test_poison_is_parked_and_the_others_go_on(stack: RunningStack, faults: Faults) -> None:
    poison = faults("poison", "order", "--key", "77")
    (planted,) = poison["facts"]["planted"]
    parked = "select channel, channel_partition as p, position as o from customer_db.dead_letter where subscriber = 'OrderEventConsumer'"
    this = {"channel": ORDER_CHANNEL, "p": planted["partition"], "o": str(planted["offset"])}
    wait_until(lambda: this in stack.sql(parked), "it is parked")
    faults.fires(poison)
    faults.becomes(faults.order(), "APPROVED")


def test_a_message_of_an_unknown_type_is_passed_over(stack: RunningStack, faults: Faults) -> None:
    said = stack.labkit("fault", "poison", "customer", "--unknown-type").stdout
    assert "nothing is parked" in said
    assert "dead_letter" not in said
    poison = list(faults.all().values())[-1]
    (planted,) = poison["facts"]["planted"]
    faults.passes("orders", CUSTOMER_CHANNEL, planted)
    faults.fires(poison)


def test_what_was_trimmed_is_gone_and_new_messages_arrive(stack: RunningStack, faults: Faults) -> None:
    faults.becomes(faults.order(), "APPROVED")
    trim = faults("trim", "order")
    try:
        faults.fires(trim)
        assert sum(trim["facts"]["start_after"].values()) > sum(trim["facts"]["start_before"].values())
        faults.becomes(faults.order(), "APPROVED")
    finally:
        stack.labkit("reset", "--yes")  # healing does not restore records, and later judgements of the stack would miss them


def test_a_tick_tells_of_each_hour(stack: RunningStack, faults: Faults) -> None:
    tick = faults("tick", "--hours", "3", "--hour", "480000")
    assert [p["offset"] for p in tick["facts"]["planted"]] == sorted(p["offset"] for p in tick["facts"]["planted"])
    faults.fires(tick)


def test_a_switch_is_loaded_while_the_service_runs(stack: RunningStack, faults: Faults) -> None:
    pid = stack.pid("customers")
    switch = faults("switch", "customers", "batch", "1")
    assert faults.get(switch)["proof"]["service"] is not None
    assert stack.pid("customers") == pid
    faults.becomes(faults.order(), "APPROVED")


def test_a_fault_for_a_time_heals_by_itself(stack: RunningStack, faults: Faults) -> None:
    """The command has ended by then."""
    kill = faults("kill", "order-history", "--for", "1s")
    gate = faults("gate", "orders", "--for", "1s")
    row = new_customer(faults.gateway)
    lock = faults("lock", "customer", str(row), "--for", "1s")
    wait_until(lambda: all(faults.get(f)["state"] == "healed" for f in (kill, gate, lock)), "all three heal")
    # by the holder; or, while that is still starting the first container, by the next command
    assert {faults.get(f)["facts"]["how"] for f in (kill, gate, lock)} <= {"its time expired", "left behind by an earlier command"}
    assert faults.get(lock)["facts"]["how"] == "its time expired"
    assert request("GET", f"{stack.url('order-history')}/health")[0] == 200
