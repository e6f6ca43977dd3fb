"""kill -9 of any process under load, then `labkit up`: nothing accepted is lost or done twice.

The verdict comes from plain SQL and Redis reads, compared with the test's own log of answers.
"""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.e2e.shop import CUSTOMER_CHANNEL, actual_views, eventually, expected_views, new_customer, request
from tests.running import RunningStack, wait_until

VICTIMS = ("customers", "orders", "order-history", "relay", "gateway", "kafka", "mysql", "redis")
MOMENTS = [(seed, VICTIMS[seed % len(VICTIMS)]) for seed in range(20)]
RATE, CLIENTS = 50, 4  # orders per second, and threads
IN_CI, IN_CONTAINERS = (0, 1, 3, 5, 6, 7), (6,)  # the other seeds run in `make soak`


class Load:
    """50 orders/s in the background. `accepted` holds each order that was answered with 200."""

    def __init__(self, stack: RunningStack, seed: int) -> None:
        self._stack = stack
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self.accepted: dict[int, tuple[int, Decimal]] = {}
        self.unanswered = 0
        self.customers = [new_customer(stack.url("gateway"), "150.00") for _ in range(10)]
        self.parked_before = parked(stack)

    def run(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due += CLIENTS / RATE
            customer, total = self._random.choice(self.customers), Decimal(self._random.randint(1, 3000)) / 100
            body = b'{"customerId":%d,"orderTotal":{"amount":%s}}' % (customer, str(total).encode())
            try:
                status, answer = request("POST", self._stack.url("orders") + "/orders", raw=body)
            except OSError:
                self.unanswered += 1
                continue
            if status == 200:
                self.accepted[json.loads(answer)["orderId"]] = customer, total
            else:
                assert status == 503, (status, answer)

    @contextmanager
    def in_background(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.run, daemon=True) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()


def pending(stack: RunningStack, load: Load) -> int:
    """The number of pending orders of this load."""
    some = ", ".join(map(str, load.customers))
    return int(stack.sql(f"select count(*) as n from order_db.orders where state = 'PENDING' and customer_id in ({some})")[0]["n"])


def parked(stack: RunningStack) -> int:
    return sum(int(stack.sql(f"select count(*) as n from {schema}.dead_letter")[0]["n"]) for schema in ("customer_db", "order_db"))


def survives(stack: RunningStack, seed: int, victim: str) -> None:
    load = Load(stack, seed)
    # PENDING orders do not pile up by chance: pause the service that answers them while the load continues.
    with load.in_background():
        with stack.paused("customers" if victim != "customers" else "relay"):
            eventually(lambda: pending(stack, load), lambda n: n >= 10)
            time.sleep(random.Random(seed).random() * 0.3)  # the moment comes from the seed
            stack.kill(victim)
        stack.labkit("up")
        # The stack must also continue: orders are accepted and end after the repair.
        before = len(load.accepted)
        eventually(lambda: len(load.accepted), lambda n: n > before + 20)
    judge(stack, load)


def judge(stack: RunningStack, load: Load) -> None:
    eventually(lambda: pending(stack, load), 0)
    some = ", ".join(map(str, load.customers))
    rows = {r["id"]: r for r in stack.sql(f"select id, customer_id, amount, state from order_db.orders where customer_id in ({some})")}
    for order, (customer, total) in load.accepted.items():
        assert (rows[order]["customer_id"], rows[order]["amount"]) == (customer, total)
        assert rows[order]["state"] in ("APPROVED", "REJECTED")
    held = {
        r["credit_reservations_key"]: (r["customer_id"], r["amount"])
        for r in stack.sql(f"select * from customer_db.customer_credit_reservations where customer_id in ({some})")
    }
    assert held == {o: (r["customer_id"], r["amount"]) for o, r in rows.items() if r["state"] == "APPROVED"}
    for customer in load.customers:
        assert sum((amount for c, amount in held.values() if c == customer), Decimal(0)) <= Decimal("150.00")
    assert parked(stack) == load.parked_before
    wanted = {c: v for c, v in expected_views(stack.sql).items() if c in load.customers}
    eventually(lambda: {c: v for c, v in actual_views(stack.redis).items() if c in load.customers}, wanted)


@pytest.mark.parametrize(("seed", "victim"), [MOMENTS[i] for i in IN_CI])
def test_nothing_is_lost_when_a_process_is_killed(stack: RunningStack, seed: int, victim: str) -> None:
    survives(stack, seed, victim)


@pytest.mark.soak
@pytest.mark.docker
@pytest.mark.parametrize(("seed", "victim"), [MOMENTS[i] for i in IN_CONTAINERS])
def test_nothing_is_lost_when_a_container_is_killed(stack: RunningStack, seed: int, victim: str) -> None:
    survives(stack, seed, victim)


@pytest.mark.soak
@pytest.mark.parametrize(("seed", "victim"), MOMENTS)
def test_nothing_is_lost_at_any_of_20_moments(stack: RunningStack, seed: int, victim: str) -> None:
    survives(stack, seed, victim)


@pytest.mark.native
def test_a_group_whose_position_was_never_told_catches_up_without_a_new_record(stack: RunningStack) -> None:
    """The view's position is in Redis, together with its effects. A broker that died in between has an older position."""
    group = "customerHistoryServiceEvents"
    customer = new_customer(stack.url("gateway"))
    eventually(lambda: request("GET", f"{stack.url('gateway')}/customers/{customer}/orderhistory")[0], 200)
    stack.kill("order-history")
    places = [TopicPartition(CUSTOMER_CHANNEL, partition, 0) for partition in range(4)]
    somebody = Consumer({**stack.kafka_client, "group.id": group, "enable.auto.commit": False})

    def told() -> bool:
        """The broker refuses this while it considers the member alive."""
        try:
            return bool(somebody.commit(offsets=places, asynchronous=False))
        except KafkaException:
            return False

    def lag() -> int:
        behind = somebody.committed(places, timeout=30)
        return sum(somebody.get_watermark_offsets(p, timeout=30)[1] - max(p.offset, 0) for p in behind)

    try:
        wait_until(told, "the group has nobody in it")
        assert lag() > 0
        stack.labkit("up")
        eventually(lag, 0)
    finally:
        somebody.close()
