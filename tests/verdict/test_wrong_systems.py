"""Faulty systems end with fail, each for its own reason. Disturbed machines end with unknown, and the cause is named. All on real
stacks."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from labkit.stack import sql
from tests.e2e.shop import ORDER_CHANNEL, eventually, new_customer, new_order, order_state, settled, state_in_view
from tests.running import TIMEOUT, RunningStack, in_soak, wait_until
from tests.verdict.test_planted import by_id, verified

RESERVE = "store.reserve(tx, customer, order.id, order.total)"
UNDECIDED = "customer = await store.lock_customer(tx, order.customer_id)\n"
UNLUCKY = "6.66"


def failed(judged: dict[str, Any]) -> set[str]:
    return {invariant["id"] for invariant in judged["invariants"] if invariant["outcome"] == "fail"}


WRONG = {
    "rejects every order": ("customers/handlers.py", "elif customer.available_credit >= order.total:", "elif False:", {"I11"}),
    "ignores earlier reservations": ("customers/handlers.py", "customer.available_credit >=", "customer.credit_limit >=", {"I1", "I11"}),
    "approves by itself": ("orders/store.py", "'PENDING', 0, %s)", "'APPROVED', 0, %s)", {"I2", "I8"}),
    "reserves of the wrong customer": (
        "customers/store.py",
        "*(account.id, order_id, amount),",
        "*(account.id - 1, order_id, amount),",
        {"I2"},
    ),
    "reserves of two customers": (
        "customers/handlers.py",
        RESERVE,
        f"{RESERVE}\n        store.reserve(tx, type(customer)(customer.id - 1, customer.credit_limit, "
        f"customer.reserved), order.id, order.total)",
        {"I2"},
    ),
    "has no handler": ("customers/handlers.py", "@order_events.handles(OrderCreated)\n", "", {"I3"}),
}


IN_CI = ("ignores earlier reservations", "approves by itself", "has no handler")  # the others fail by the same invariants


@pytest.mark.parametrize("name", [*IN_CI, *in_soak(*(name for name in WRONG if name not in IN_CI))])
def test_a_wrong_system_fails_for_its_reason(changed: Callable[..., RunningStack], name: str) -> None:
    file, good, bad, expected = WRONG[name]
    stack = changed(file, good, bad)
    gateway = stack.url("gateway")
    new_customer(gateway, "15.00", "Ida")
    ada = new_customer(gateway, "15.00")
    for total in ("10.00", "9.00", "123.40"):
        new_order(gateway, ada, total)
    code, judged = verified(stack)
    assert (code, judged["verdict"]) == (1, "fail"), judged
    assert expected <= failed(judged)


@pytest.mark.parametrize(
    ("what", "kind", "title"),
    [("__import__('os')._exit(3)", "ended", "customers ended by itself"), ("while True: pass", "stuck", "customers is stuck")],
)
def test_a_service_that_crashes_or_spins_on_one_message(changed: Callable[..., RunningStack], what: str, kind: str, title: str) -> None:
    stack = changed("customers/handlers.py", UNDECIDED, f"if str(order.total) == {UNLUCKY!r}:\n        {what}\n    {UNDECIDED}")
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    assert settled(gateway, new_order(gateway, ada, "1.00"))[0] == "APPROVED"
    new_order(gateway, ada, UNLUCKY)
    code, judged = verified(stack)
    assert (code, judged["verdict"]) == (1, "fail"), judged
    assert (kind, title) in {(finding["kind"], finding["title"]) for finding in judged["findings"]}


@pytest.mark.parametrize(("server", "name"), [("kafka", "Kafka"), pytest.param("mysql", "MySQL", marks=pytest.mark.soak)])
def test_a_server_that_somebody_killed_is_unknown_and_named(right: RunningStack, server: str, name: str) -> None:
    gateway = right.url("gateway")
    ada = new_customer(gateway, "15.00")
    assert settled(gateway, new_order(gateway, ada, "1.00"))[0] == "APPROVED"
    right.kill(server)
    if server == "kafka":
        new_order(gateway, ada, "2.00")
    code, judged = verified(right)
    assert (code, judged["verdict"]) == (2, "unknown"), judged
    assert any(f"{name} ended by SIGKILL" in note for note in judged["notes"])
    right.labkit("up")
    eventually(lambda: verified(right), lambda told: told[0] == 0)  # when it is back, all is well: nothing was lost


def test_a_view_whose_writes_redis_refuses_is_stuck_with_redis_own_words(right: RunningStack) -> None:
    """The service retries again and again. Refused writes do not count as movement."""
    gateway = right.url("gateway")
    ada = new_customer(gateway, "15.00")
    assert settled(gateway, new_order(gateway, ada, "1.00"))[0] == "APPROVED"
    right.redis.config_set("maxmemory", "1mb")
    try:
        new_order(gateway, ada, "2.00")
        code, judged = verified(right)
    finally:
        right.redis.config_set("maxmemory", "0")
    assert (code, judged["verdict"]) == (1, "fail"), judged
    (stuck,) = [finding for finding in judged["findings"] if finding["kind"] == "stuck"]
    assert stuck["title"] == "order-history is stuck"
    assert "not allowed when used memory" in json.dumps(stuck)


def test_a_stranger_in_a_group_is_named_and_nobody_is_blamed(right: RunningStack) -> None:
    gateway = right.url("gateway")
    ada = new_customer(gateway, "500.00")
    with _a_stranger_in_the_group_of_customers(right):
        orders = [new_order(gateway, ada, "1.00") for _ in range(8)]
        eventually(lambda: {order_state(gateway, order)[0] for order in orders}, lambda states: "APPROVED" in states)
        code, judged = verified(right)
    assert (code, judged["verdict"]) == (2, "unknown"), judged
    assert any("a foreign consumer is in the group OrderEventConsumer" in note for note in judged["notes"]), judged["notes"]
    assert not [finding for finding in judged["findings"] if finding["kind"] == "stuck"]


@contextmanager
def _a_stranger_in_the_group_of_customers(stack: RunningStack) -> Iterator[None]:
    """Processes part of the group's records, and acknowledges them."""
    consumer = Consumer({**stack.kafka_client, "group.id": "OrderEventConsumer", "auto.commit.interval.ms": 200})
    joined, ended = threading.Event(), threading.Event()
    consumer.subscribe([ORDER_CHANNEL], on_assign=lambda _, places: joined.set() if places else None)

    def take() -> None:
        while not ended.is_set():
            consumer.poll(0.1)

    taking = threading.Thread(target=take)
    taking.start()
    try:
        assert joined.wait(60)
        yield
    finally:
        ended.set()
        taking.join()
        consumer.close()


def test_a_purged_binlog_is_unknown_with_the_reason(right: RunningStack) -> None:
    gateway = right.url("gateway")
    assert settled(gateway, new_order(gateway, new_customer(gateway), "1.00"))[0] == "APPROVED"
    right.sql("flush binary logs")

    def logs_after_purging() -> int:
        """A server keeps for a while what it needs after a crash."""
        right.sql(f"purge binary logs to '{right.sql('show binary logs')[-1]['Log_name']}'")
        return len(right.sql("show binary logs"))

    eventually(logs_after_purging, 1)
    code, judged = verified(right)
    assert (code, judged["verdict"]) == (2, "unknown"), judged
    assert by_id(judged)["I8"]["outcome"] == "unknown"
    assert "binlog" in by_id(judged)["I8"]["reason"]
    assert by_id(judged)["I2"]["outcome"] == "pass"


def test_a_topic_that_was_trimmed_by_hand_is_unknown_with_the_reason(right: RunningStack) -> None:
    gateway = right.url("gateway")
    ada = new_customer(gateway, "100.00")
    orders = [new_order(gateway, ada, "1.00") for _ in range(8)]
    for order in orders:
        assert settled(gateway, order)[0] == "APPROVED"
    eventually(lambda: {state_in_view(right.redis, ada, order) for order in orders}, {"APPROVED"})  # the records are no longer needed
    admin = AdminClient(right.kafka_client)
    for future in admin.delete_records([TopicPartition(ORDER_CHANNEL, p, -1) for p in range(4)]).values():
        future.result(30)
    code, judged = verified(right)
    assert (code, judged["verdict"]) == (2, "unknown"), judged
    assert "were deleted after the mark" in by_id(judged)["I4"]["reason"]


def test_labkit_that_was_suspended_is_unknown_when_something_is_missing(right: RunningStack) -> None:
    gateway = right.url("gateway")
    ada = new_customer(gateway)
    right.sql("insert into order_db.orders (customer_id, amount, state, version) values (%s, 1.00, 'PENDING', 0)", ada)
    assert verified(right)[0] == 1  # it fails even without a suspension
    with _transaction_of_customers(right):  # nothing is judged while it is open
        verifying = right.labkit.begin("verify", "--json")
        wait_until(lambda: b"labkit.evidence.worker" in _children(verifying.pid), "the collection has begun")
        os.killpg(verifying.pid, signal.SIGSTOP)
        time.sleep(2.5)  # the length of the suspension is under test
        os.killpg(verifying.pid, signal.SIGCONT)
    said = verifying.communicate(timeout=TIMEOUT)[0]
    assert verifying.returncode == 2, said
    assert "labkit stalled" in said


@contextmanager
def _transaction_of_customers(stack: RunningStack) -> Iterator[None]:
    at = stack.described.mysql_as("customer_service")
    with sql.connect(host=at.host, port=at.port, user=at.user, password=at.password) as connection, connection.cursor() as cursor:
        cursor.execute("select * from customer_db.customer for update")
        yield


def _children(pid: int) -> bytes:
    found = b""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found += (entry / "cmdline").read_bytes()
        except OSError:
            continue
    return found


@pytest.mark.soak
def test_somebody_who_writes_all_the_time_is_unknown_and_named(right: RunningStack) -> None:
    gateway = right.url("gateway")
    ada = new_customer(gateway)
    assert settled(gateway, new_order(gateway, ada, "1.00"))[0] == "APPROVED"
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.05):
            right.sql("update customer_db.customer set version = version + 1 where id = %s", ada)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        code, judged = verified(right)
    finally:
        ended.set()
        writer.join()
    assert (code, judged["verdict"]) == (2, "unknown"), judged
    assert any("admin" in finding["sentence"] for finding in judged["findings"])


def test_a_clean_stack_is_not_touched_by_being_judged(right: RunningStack) -> None:
    gateway = right.url("gateway")
    order = new_order(gateway, new_customer(gateway), "1.00")
    assert settled(gateway, order)[0] == "APPROVED"
    positions = right.sql("select count(*) as n from order_db.message")
    assert verified(right)[0] == 0
    assert right.sql("select count(*) as n from order_db.message") == positions
    assert order_state(gateway, order) == ("APPROVED", None)


@pytest.mark.docker
def test_a_service_that_takes_all_its_memory_fails(changed: Callable[..., RunningStack]) -> None:
    """A container has its own limit; reaching it is the fault of the service, not of the machine."""
    hoard = f"if str(order.total) == {UNLUCKY!r}:\n        hoard = [bytes([1]) * 4_000_000 for _ in range(100)]\n    {UNDECIDED}"
    stack = changed("customers/handlers.py", UNDECIDED, hoard)
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    new_order(gateway, ada, UNLUCKY)
    code, judged = verified(stack)
    assert (code, judged["verdict"]) == (1, "fail"), judged
    ended = next(finding for finding in judged["findings"] if finding["title"] == "customers ended by itself")
    assert "it exceeded its memory limit" in json.dumps(ended)
