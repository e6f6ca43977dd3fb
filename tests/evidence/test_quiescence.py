"""Still, settled or stuck: decided by positions and by outstanding work."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from labkit.evidence.quiescence import pending_orders
from labkit.evidence.quiescence import wait as waiting
from labkit.evidence.quiescence.model import Sample, State, Stillness
from labkit.evidence.quiescence.pending_orders import PendingOrders
from labkit.evidence.quiescence.rows import rows as rows_of
from labkit.evidence.quiescence.watcher import Watcher
from labkit.stack import sql
from labkit.stack.model import Stack
from tests.e2e.shop import ORDER_CHANNEL, eventually, new_customer, new_order, settled
from tests.running import RunningStack, wait_until


def wait(stack: Stack, orders: PendingOrders = pending_orders.of_all_customers, **options: Any) -> Stillness:
    with Watcher(stack) as watcher:
        return waiting.wait(watcher, orders, **options)


def conditions(seen: Stillness) -> dict[str, str]:
    """The outstanding work, as condition and subject."""
    return dict(_pairs(seen))


def blocked_by(stack: Stack, **expected: str) -> Stillness:
    """The final result, when nothing else is outstanding. Until then, a service with work may also appear blocked for a while."""
    with Watcher(stack) as watcher:
        wait_until(lambda: list(_pairs(watcher.sample())) == [*expected.items()], f"nothing but {expected} is outstanding")
        stillness = waiting.wait(watcher, blocked_for_s=1.0)
    assert (stillness.state, list(_pairs(stillness))) == (State.BLOCKED, [*expected.items()])
    return stillness


def _pairs(seen: Stillness | Sample) -> Iterator[tuple[str, str]]:
    return ((o.condition, o.subject) for o in seen.outstanding)


def placed_order(shop: RunningStack) -> int:
    return new_order(shop.url("orders"), new_customer(shop.url("customers")), "12.34")


def test_settled_once_the_saga_has_ended(running_shop: RunningStack, described: Stack) -> None:
    order = placed_order(running_shop)
    stillness = wait(described)
    assert (stillness.state, stillness.outstanding, stillness.pending) == (State.SETTLED, (), ())
    assert running_shop.sql("SELECT state FROM order_db.orders WHERE id = %s", order) == [{"state": "APPROVED"}]


def test_an_order_that_nothing_will_move(running_shop: RunningStack, described: Stack) -> None:
    running_shop.sql("INSERT INTO order_db.orders (id, customer_id, amount, state, version) VALUES (4100, 7000, 1.00, 'PENDING', 0)")
    stillness = wait(described)
    assert (stillness.state, stillness.pending) == (State.PENDING, (4100,))
    assert stillness.waited_s >= waiting.PENDING_FOR_S
    assert wait(described, expected=lambda order: order == 4100).state is State.SETTLED
    assert wait(described, pending_orders.of_customers([8000])).state is State.SETTLED
    assert wait(described, pending_orders.of_customers([7000])).state is State.PENDING
    running_shop.sql("DELETE FROM order_db.orders WHERE id = 4100")


def kill(shop: RunningStack, component: str) -> None:
    pid = shop.pid(component)
    shop.signal(pid, signal.SIGKILL)
    shop.wait_ended(pid)


def test_a_consumer_that_is_gone(running_shop: RunningStack, described: Stack, at_rest: None) -> None:
    customer = new_customer(running_shop.url("customers"))
    kill(running_shop, "customers")
    begun = time.time()
    new_order(running_shop.url("orders"), customer, "12.34")
    (lag,) = blocked_by(described, lag="OrderEventConsumer").outstanding
    assert "OrderEventConsumer stands at" in lag.detail
    assert "1 behind" in lag.detail
    assert begun <= lag.since <= time.time() - 1.0


def test_a_relay_that_is_gone(running_shop: RunningStack, described: Stack) -> None:
    customer = new_customer(running_shop.url("customers"))
    wait(described)
    kill(running_shop, "relay")
    new_order(running_shop.url("orders"), customer, "12.34")
    stillness = blocked_by(described, outbox="order_db")
    assert stillness.outstanding[0].detail.startswith("1 message waits in the outbox of order_db")


def test_rows_that_are_published_again_now_and_then_are_not_movement(
    running_shop: RunningStack, described: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a relay does that waits in vain for each acknowledgement."""
    monkeypatch.setattr(waiting, "SLOW_FOR_S", 2.0)
    customer = new_customer(running_shop.url("customers"))
    wait(described)
    kill(running_shop, "relay")
    new_order(running_shop.url("orders"), customer, "12.34")
    headers = {"ID": "1-1", "PARTITION_ID": "9", "DESTINATION": ORDER_CHANNEL, "DATE": "x", "event-aggregate-type": ORDER_CHANNEL}
    copy = json.dumps({"payload": "{}", "headers": {**headers, "event-aggregate-id": "9", "event-type": "io.x.NobodyTakesThis"}})
    over = threading.Event()

    def publish() -> None:
        producer = Producer(running_shop.kafka_client)
        while not over.wait(0.3):
            producer.produce(ORDER_CHANNEL, copy, "9")
            assert producer.flush(30) == 0

    publishing = threading.Thread(target=publish)
    publishing.start()
    try:
        assert wait(described).state is State.REPEATING
    finally:
        over.set()
        publishing.join()


def test_a_component_that_is_paused(running_shop: RunningStack, described: Stack) -> None:
    assert wait(described).state is State.SETTLED  # work of the previous test may still be in progress
    with running_shop.paused("orders"):
        blocked_by(described, paused="orders")


def test_a_transaction_in_hand(running_shop: RunningStack, described: Stack) -> None:
    """A handler waits for a lock that another connection holds."""
    customer = new_customer(running_shop.url("customers"))
    wait(described)
    with running_shop.transaction() as cursor:
        cursor.execute("SELECT * FROM customer_db.customer WHERE id = %s FOR UPDATE", [customer])
        order = new_order(running_shop.url("orders"), customer, "12.34")
        wait_until(running_shop.somebody_waits_for_a_lock, "the handler waits for the lock")
        # between two attempts to get the lock it has no transaction
        stillness = eventually(lambda: wait(described, blocked_for_s=1.0), lambda seen: {"lag", "transaction"} <= set(conditions(seen)))
        assert stillness.state is State.BLOCKED
        assert conditions(stillness)["transaction"] == "customers"
    assert settled(running_shop.url("orders"), order) == ("APPROVED", None)


def test_what_a_single_sample_happens_to_find_is_not_stuck(running_shop: RunningStack, described: Stack) -> None:
    """A service's own short query after a long stillness. Here that query is the first that stillness cannot outlast."""
    account = described.mysql_as("order_service")

    def unanswered(*_: Any) -> list[int]:
        raise OSError("no answer yet")

    def met_now_and_then(sample: Sample, waited_s: float) -> None:
        if waited_s >= 1.5 and len(met) % 2 == 0:
            connection = sql.connect(host=account.host, port=account.port, user=account.user, password=account.password)
            connection.begin()
            with connection.cursor() as cursor:
                cursor.execute("SELECT COUNT(*) FROM order_db.orders")
            met.append(connection)
        elif len(met) % 2:
            met[-1].close()
            met.append(None)
        seen.extend(o.condition for o in sample.outstanding)

    met: list[Any] = []
    seen: list[str] = []
    stillness = wait(described, unanswered, tell=met_now_and_then, blocked_for_s=1.0, moving_for_s=3.0)
    assert "transaction" in seen
    assert stillness.state is State.MOVING


@pytest.mark.parametrize(
    "change", ["RENAME TABLE order_db.orders TO order_db.purchases", "ALTER TABLE order_db.orders CHANGE state status TEXT"]
)
def test_a_table_that_is_not_as_it_was(running_shop: RunningStack, described: Stack, at_rest: None, change: str) -> None:
    back = "ALTER TABLE order_db.orders CHANGE status state ENUM('APPROVED', 'CANCELLED', 'PENDING', 'REJECTED')"
    running_shop.sql(change)
    try:
        stillness = wait(described)
    finally:
        running_shop.sql("RENAME TABLE order_db.purchases TO order_db.orders" if "RENAME" in change else back)
    assert stillness.state is State.UNREAD
    assert [o.detail.partition(":")[0] for o in stillness.outstanding] == ["mysql refuses"]


@pytest.mark.parametrize("store", ["mysql", "kafka", "redis"])
def test_a_store_that_does_not_answer(running_shop: RunningStack, described: Stack, store: str) -> None:
    kill(running_shop, store)
    stillness = wait(described)
    assert stillness.state is State.UNREAD
    assert store in {o.subject for o in stillness.outstanding if o.condition == "unreadable"}


def test_a_foreign_group_that_lags_for_ever_changes_nothing(running_shop: RunningStack, described: Stack) -> None:
    placed_order(running_shop)
    wait(described)
    foreign = Consumer({**running_shop.kafka_client, "group.id": "somebody-else", "enable.auto.commit": False})

    def committed() -> bool:
        try:
            return bool(foreign.commit(offsets=[TopicPartition(ORDER_CHANNEL, 0, 0)], asynchronous=False))
        except KafkaException:  # the group has no coordinator yet
            return False

    wait_until(committed, "the foreign group has a position")
    foreign.close()
    assert wait(described).state is State.SETTLED


def test_keys_that_are_not_the_applications_may_be_written_all_the_time(
    running_shop: RunningStack, described: Stack, at_rest: None
) -> None:
    """A consumer polls a stream of its own, adds entries and acknowledges them; only the application's keys count as movement."""
    rounds, over = 0, threading.Event()
    with running_shop.redis as server:
        server.xgroup_create("polled", "group", id="0", mkstream=True)
        server.xadd("polled", {"payload": "{}"})
        ((_, ((taken, _),)),) = server.xreadgroup("group", "other", {"polled": ">"})

        def poll() -> None:
            nonlocal rounds
            while not over.is_set():
                server.xreadgroup("group", "one", {"polled": ">"}, block=1)
                server.xautoclaim("polled", "group", "one", min_idle_time=0)
                server.xclaim("polled", "group", "one", min_idle_time=0, message_ids=[taken])
                server.xpending("polled", "group")
                server.xinfo_groups("polled")
                server.xack("polled", "group", taken)
                server.xread({"polled": "0"})
                server.xadd("polled", {"payload": "{}"}, maxlen=10)
                rounds += 1

        polling = threading.Thread(target=poll)
        polling.start()
        try:
            before = rounds
            assert wait(described, moving_for_s=5.0).state is State.SETTLED
            assert rounds > before
            with Watcher(described) as watcher:
                first = watcher.sample()
                assert watcher.sample().positions == first.positions
                server.hset("customerview:987654321", "name", "Ada")
                assert watcher.sample().positions != first.positions
        finally:
            over.set()
            polling.join()
            server.delete("polled", "customerview:987654321")


def test_the_first_sample_at_rest_follows_the_last_movement_at_once(running_shop: RunningStack, described: Stack) -> None:
    """The limit is generous; the benchmark reports the exact figure."""
    placed_order(running_shop)
    seen: list[Any] = []
    with Watcher(described) as watcher:
        waiting.wait(watcher, tell=lambda sample, _: seen.append(sample))
    changes = [i for i in range(1, len(seen)) if seen[i].positions != seen[i - 1].positions or seen[i - 1].outstanding]
    last = max(changes, default=0)
    assert not seen[last].outstanding
    assert seen[-1].monotonic_s - seen[last].monotonic_s >= waiting.APART_S


def test_samples_that_differ_are_stored_in_the_evidence(running_shop: RunningStack, described: Stack) -> None:
    assert wait(described).state is State.SETTLED
    with Watcher(described) as watcher:
        for _ in range(5):
            watcher.sample()
        assert len(watcher.samples) == 2
        placed_order(running_shop)
        wait_until(_moved(watcher), "a position has moved")
        waiting.wait(watcher)
        rows = [row for table, row in rows_of(watcher) if table == "samples"]
    assert [row["sample"] for row in rows] == list(range(1, len(rows) + 1))
    assert not rows[-1]["moved"]


def _moved(watcher: Watcher) -> Callable[[], bool]:
    def moved() -> bool:
        watcher.sample()
        return watcher.moved[-1]

    return moved


def test_time_without_samples_is_not_stillness(running_shop: RunningStack, described: Stack) -> None:
    """A long gap between two samples, as on a suspended laptop, does not count as blocked time."""
    wait(described)
    kill(running_shop, "relay")
    new_order(running_shop.url("orders"), new_customer(running_shop.url("customers")), "1.00")
    with Watcher(described) as watcher:
        paused = iter([2.5])
        stillness = waiting.wait(watcher, tell=lambda sample, _: time.sleep(next(paused, 0)), blocked_for_s=2.0)
        samples = watcher.samples
    assert stillness.state is State.BLOCKED
    assert samples[-1].monotonic_s - samples[0].monotonic_s > 3.0
