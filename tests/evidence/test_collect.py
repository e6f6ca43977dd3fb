"""Evidence of a real stack: complete where possible; otherwise with the reason and everything else."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from labkit import brokers
from labkit.errors import UserError
from labkit.evidence import database
from labkit.evidence.collect import collect
from labkit.evidence.collection.model import Scenario
from labkit.evidence.quiescence.model import Sample
from labkit.evidence.quiescence.watcher import Watcher
from labkit.stack.model import Stack
from tests.e2e.shop import ORDER_CHANNEL, new_customer, new_order, request, settled
from tests.running import ROOT, RunningStack, wait_until

Ask = Callable[[str], list[Any]]


@contextmanager
def evidence(stack: Stack, folder: Path, scenario: Scenario | None = None, **options: Any) -> Iterator[Ask]:
    connection = collect(stack, folder / "run.duckdb", scenario, **options)
    try:
        yield lambda query: connection.execute(query).fetchall()
    finally:
        connection.close()


def gaps(ask: Ask) -> dict[str, str]:
    """The reason for each incomplete source."""
    return dict(ask("SELECT source, reason FROM completeness WHERE NOT complete"))


def three_orders(shop: RunningStack) -> tuple[int, list[int]]:
    """Three orders: one approved, one above the limit, one cancelled."""
    gateway = shop.url("gateway")
    ada = new_customer(gateway, "15.00")
    orders = [new_order(gateway, ada, total) for total in ("12.34", "123.40", "0.66")]
    for order in orders:
        settled(gateway, order)
    assert request("POST", f"{gateway}/orders/{orders[2]}/cancel")[0] == 200
    return ada, orders


def test_every_store_side_by_side(shop: RunningStack, described: Stack, tmp_path: Path) -> None:
    """After a reset, ids and evidence start again. A finished file can be opened anywhere."""
    three_orders(shop)
    shop.labkit("reset", "--yes")
    ada, orders = three_orders(shop)
    assert orders == [1, 2, 3]
    approved, rejected, cancelled = orders
    row = {
        "id": 1,
        "operation": "create_order",
        "method": "POST",
        "status": 200,
        "outcome": "ok",
        "customer_id": ada,
        "order_id": approved,
    }
    with evidence(described, tmp_path, Scenario(requests=[row], customers=[ada], seed=7)) as ask:
        assert gaps(ask) == {}
        assert {source for (source,) in ask("SELECT source FROM completeness")} >= {
            "tables",
            "binlog",
            "records",
            "groups",
            "view",
            "moment",
        }
        assert ask("SELECT value FROM facts WHERE name = 'stillness'") == [("settled",)]
        assert ask("SELECT id, customer_id, total, state, rejection_reason FROM orders ORDER BY id") == [
            (approved, ada, Decimal("12.34"), "APPROVED", None),
            (rejected, ada, Decimal("123.40"), "REJECTED", "INSUFFICIENT_CREDIT"),
            (cancelled, ada, Decimal("0.66"), "CANCELLED", None),
        ]
        assert ask("SELECT * FROM reservations") == [(ada, approved, Decimal("12.34"))]
        assert ask("SELECT name, credit_limit, listed FROM view_customers") == [("Ada", Decimal("15.00"), True)]
        assert ask("SELECT order_id, state, total FROM view_orders ORDER BY 1") == ask("SELECT id, state, total FROM orders ORDER BY 1")
        assert ask("SELECT id FROM outbox EXCEPT SELECT message_id FROM records") == []
        assert ask("SELECT message_id FROM records EXCEPT SELECT id FROM outbox") == []
        events = f"SELECT event FROM records WHERE channel = 'Order' AND order_id = {cancelled} ORDER BY offset_no"
        assert [event for (event,) in ask(events)] == ["OrderCreated", "OrderApproved", "OrderCancelled"]
        states = f"SELECT after_state FROM order_changes WHERE after_id = {cancelled} ORDER BY change_no"
        assert [state for (state,) in ask(states)] == ["PENDING", "APPROVED", "CANCELLED"]
        held = f"SELECT op FROM reservation_changes WHERE {cancelled} IN (before_order_id, after_order_id) ORDER BY change_no"
        assert [op for (op,) in ask(held)] == ["insert", "delete"]
        assert ask("SELECT count(*) FROM inbox") == ask("SELECT count(*) FROM inbox_changes")
        assert ask("SELECT sum(lag), min(members), count(DISTINCT group_id) FROM group_offsets WHERE expected") == [(0, 1, 3)]
        # nothing from before the reset
        assert ask("SELECT count(*) FROM order_changes WHERE op = 'insert'") == [(3,)]
        assert ask("SELECT count(*) FROM records WHERE event = 'OrderCreated'") == [(3,)]
        # inbox row, reservation and outbox row of one message share a commit
        together = """SELECT count(*)
            FROM reservation_changes r JOIN outbox_changes o USING (commit_no) JOIN inbox_changes i USING (commit_no)
            WHERE r.op = 'insert' AND o.event = 'CustomerCreditReserved' AND r.after_order_id = o.order_id
            AND i.message_id IN (SELECT id FROM outbox WHERE event = 'OrderCreated' AND order_id = o.order_id)"""
        assert ask(together) == [(2,)]
        # what the scenario recorded
        assert ask("SELECT operation, outcome, order_id FROM requests") == [("create_order", "ok", approved)]
        assert ask("SELECT customer_id FROM scope") == [(ada,)]
        assert ask("SELECT value FROM facts WHERE name = 'seed'") == [("7",)]
        records = ask("SELECT * FROM records ORDER BY ALL")
    connection = database.open_file(tmp_path / "run.duckdb")
    assert connection.execute("SELECT * FROM records ORDER BY ALL").fetchall() == records
    connection.close()


def test_a_restarted_server_hides_nothing(shop: RunningStack, described: Stack, tmp_path: Path) -> None:
    _, before = three_orders(shop)
    shop.kill("mysql")
    shop.labkit("up")
    _, after = three_orders(shop)
    with evidence(described, tmp_path) as ask:
        assert gaps(ask) == {}
        assert {order for (order,) in ask("SELECT after_id FROM order_changes")} == {*before, *after}
        killed = "SELECT signal, by_labkit FROM environment WHERE component = 'mysql' AND event = 'end'"
        assert ask(f"{killed} AND signal IS NOT NULL") == [(9, None)]


def test_what_labkit_ended_itself_is_told(running_shop: RunningStack, described: Stack, tmp_path: Path) -> None:
    running_shop.restart("orders")
    with evidence(described, tmp_path) as ask:
        assert ask("SELECT DISTINCT by_labkit FROM environment WHERE component = 'orders' AND event = 'end'") == [(True,)]


@pytest.mark.parametrize(
    ("store", "gone", "left"),
    [("kafka", {"records", "groups"}, "orders"), ("redis", {"view"}, "records"), ("mysql", {"tables", "binlog"}, "records")],
)
def test_a_store_that_is_down_costs_only_its_own(
    running_shop: RunningStack, described: Stack, tmp_path: Path, store: str, gone: set[str], left: str
) -> None:
    three_orders(running_shop)
    running_shop.kill(store)
    with evidence(described, tmp_path) as ask:
        assert set(gaps(ask)) == {*gone, "moment"}
        assert store in gaps(ask)["moment"]
        assert ask("SELECT DISTINCT component FROM completeness WHERE NOT complete") == [(store,)]
        assert ask("SELECT value FROM facts WHERE name = 'stillness'") == [("unread",)]
        assert ask(f"SELECT count(*) > 2 FROM {left}") == [(True,)]


def test_somebody_who_writes_all_the_time_is_named(
    running_shop: RunningStack, described: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a commit between any two reads, however slow the disk is."""
    sample = Watcher.sample
    with running_shop.transaction() as cursor:

        def write_and_sample(watcher: Watcher) -> Sample:
            cursor.execute("INSERT INTO customer_db.customer (name, amount) VALUES ('Mallory', 1.00)")
            cursor.connection.commit()
            return sample(watcher)

        monkeypatch.setattr(Watcher, "sample", write_and_sample)
        with evidence(described, tmp_path, moving_for_s=1.5) as ask:
            assert "moment" in gaps(ask)
            assert "the account admin" in gaps(ask)["moment"]
            assert ask("SELECT value FROM facts WHERE name = 'stillness'") == [("moving",)]


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (["TRUNCATE TABLE customer_db.received_messages"], "was emptied"),
        (["SET SESSION sql_log_bin = 0", "UPDATE order_db.orders SET amount = 99 WHERE id = 1"], "changes in the binlog lead to"),
        (["SET SESSION sql_log_bin = 0", "INSERT INTO customer_db.customer_credit_reservations VALUES (1, 77, 1)"], "no row"),
    ],
)
def test_changes_that_are_not_all_there(shop: RunningStack, described: Stack, tmp_path: Path, statements: list[str], reason: str) -> None:
    three_orders(shop)
    with shop.transaction() as cursor:
        for statement in statements:
            cursor.execute(statement)
        cursor.connection.commit()
    with evidence(described, tmp_path) as ask:
        assert set(gaps(ask)) == {"binlog"}
        assert reason in gaps(ask)["binlog"]


def test_a_purged_binlog_and_topics_that_were_trimmed_by_hand(shop: RunningStack, described: Stack, tmp_path: Path) -> None:
    three_orders(shop)
    shop.sql("FLUSH BINARY LOGS")

    def purged() -> bool:
        last = shop.sql("SHOW BINARY LOGS")[-1]["Log_name"]
        shop.sql(f"PURGE BINARY LOGS TO '{last}'")
        return len(shop.sql("SHOW BINARY LOGS")) == 1

    wait_until(purged, "one file of the binlog is left")
    with brokers.of(described).connect(5) as broker:
        broker.empty({ORDER_CHANNEL: broker.channels()[ORDER_CHANNEL]})
    with evidence(described, tmp_path) as ask:
        assert set(gaps(ask)) == {"binlog", "records"}
        assert "no longer there" in gaps(ask)["binlog"]
        assert "were deleted after the mark" in gaps(ask)["records"]
        assert ask("SELECT count(*) FROM orders") == [(3,)]


def test_a_file_of_which_only_part_was_written_is_none(running_shop: RunningStack, described: Stack, tmp_path: Path) -> None:
    """labkit is killed during a collection: the earlier file remains, and the partial file is refused."""
    three_orders(running_shop)
    path = tmp_path / "run.duckdb"
    with evidence(described, tmp_path):
        pass
    whole = path.read_bytes()
    script = (
        "from pathlib import Path; from labkit.stack import state; from labkit.evidence import collect, database\n"
        "import os, signal\n"
        "database.finish = lambda connection: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"collect.collect(state.load({described.name!r}), Path({str(path)!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == -signal.SIGKILL
    assert path.read_bytes() == whole
    (half,) = tmp_path.glob("*.unfinished")
    with pytest.raises(UserError, match=r"not finished|only part of one"):
        database.open_file(half)
    torn = tmp_path / "torn.duckdb"
    torn.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(UserError, match="only part of one"):
        database.open_file(torn).execute("SELECT count(*) FROM records").fetchall()


def test_labkit_itself_was_suspended(running_shop: RunningStack, described: Stack, tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    script = (  # it continues only on a signal
        "import sys; from pathlib import Path; from labkit.stack import state; from labkit.evidence import collect\n"
        "tell = lambda what: (print(what, flush=True), sys.stdin.readline())\n"
        f"collect.collect(state.load({described.name!r}), Path({str(path)!r}), tell=tell).close()"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    labkit = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert labkit.stdout is not None
    assert labkit.stdout.readline()
    labkit.send_signal(signal.SIGSTOP)
    time.sleep(1.5)  # this is the stall
    labkit.send_signal(signal.SIGCONT)
    labkit.communicate(timeout=60)
    connection = database.open_file(path)
    stalls = connection.execute("SELECT component, detail FROM environment WHERE event = 'stall'").fetchall()  # the machine may stall too
    connection.close()
    assert {component for component, _ in stalls} == {"labkit"}
    assert any(float(detail.split()[0]) > 1.0 for _, detail in stalls)


def test_a_transactional_producer_leaves_nobody_behind(shop: RunningStack, described: Stack, tmp_path: Path) -> None:
    """Its markers are offsets without a record, and consumers never receive the records of aborted transactions."""
    three_orders(shop)
    for end in ("commit_transaction", "abort_transaction"):
        producer = Producer({**shop.kafka_client, "transactional.id": "learner"})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(ORDER_CHANNEL, b"no message", "1")
        getattr(producer, end)(30)
    with evidence(described, tmp_path) as ask:
        assert ask("SELECT value FROM facts WHERE name = 'stillness'") == [("settled",)]
        assert ask("SELECT sum(lag) FROM group_offsets WHERE expected") == [(0,)]
        assert ask("SELECT count(*) FROM records WHERE message_id IS NULL") == [(1,)]


def test_whatever_others_wrote_is_read_and_judged(running_shop: RunningStack, described: Stack, tmp_path: Path) -> None:
    """Numbers, times and keys that no service writes: none of them stops labkit, and everything readable is present."""
    three_orders(running_shop)
    far = {"customerId": 12345678901234567890123, "orderTotal": {"amount": 1}}
    headers = {"ID": "far", "PARTITION_ID": "77", "DESTINATION": ORDER_CHANNEL, "DATE": "x", "event-aggregate-type": ORDER_CHANNEL}
    headers |= {"event-aggregate-id": "9" * 30, "event-type": "io.x.ForeignEvent"}
    producer = Producer(running_shop.kafka_client)
    value = json.dumps({"payload": json.dumps({"orderDetails": far}), "headers": headers})
    producer.produce(ORDER_CHANNEL, value, "77", timestamp=-9_000_000_000_000_000_000)
    producer.produce("learner.topic", b"hello")
    assert producer.flush(30) == 0
    for key, field in (("customerview:9" + "9" * 30, "name"), ("customerview:\u0661", "name"), ("customerview:1", "order:1")):
        running_shop.redis.hset(key, field, "x")
    running_shop.redis.hset("customerview:1", f"order:{'9' * 30}:state", "APPROVED")
    running_shop.redis.sadd("customerview:1:mine", "a set of one's own")
    running_shop.redis.set("customerview:2", '{"name": "a text"}')
    running_shop.redis.expire("customerview:2", 86_400)
    running_shop.redis.set("a cache of one's own", "x", ex=86_400)
    running_shop.redis.xadd("deadletter:mine", {"position": "9" * 40, "cause": "\0\udc80".encode(errors="replace")}, id=f"{2**63}-1")
    with evidence(described, tmp_path) as ask:
        assert gaps(ask) == {}
        assert ask("SELECT order_id, customer_id, appended FROM records WHERE message_id = 'far'") == [(None, None, None)]
        assert ask("SELECT count(*) FROM view_customers WHERE id > 1000") == [(0,)]
        assert ask("SELECT customer_id, key FROM view_expiry WHERE seconds BETWEEN 86_000 AND 86_400") == [(2, "customerview:2")]
        assert ask("SELECT offset_no, parked FROM dead_letters WHERE subscriber = 'mine'") == [(None, None)]
        assert ask("SELECT channel FROM records WHERE topic NOT LIKE 'io.%' AND topic NOT LIKE '%.dead-letter'") == [("learner.topic",)]


def test_a_table_that_a_service_keeps_for_itself_disturbs_nothing(running_shop: RunningStack, described: Stack, tmp_path: Path) -> None:
    three_orders(running_shop)
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.05):
            running_shop.sql("INSERT INTO order_db.heartbeat VALUES (1, 1) ON DUPLICATE KEY UPDATE beats = beats + 1")

    running_shop.sql("CREATE TABLE order_db.heartbeat (id BIGINT PRIMARY KEY, beats BIGINT)")
    heart = threading.Thread(target=beat)
    heart.start()
    try:
        with evidence(described, tmp_path) as ask:
            assert gaps(ask) == {}
            assert ask("SELECT value FROM facts WHERE name = 'stillness'") == [("settled",)]
    finally:
        ended.set()
        heart.join()
        running_shop.sql("DROP TABLE order_db.heartbeat")
