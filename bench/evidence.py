"""`python -m bench.evidence [ORDERS...]`: the time to collect evidence, by the number of orders, on a history written directly into the
stores.

Placing 100,000 orders would take a minute or two and heat up the machine. The resulting history is the same.
"""

import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.stack import NAME, Labkit, own_labkit
from labkit.account import Account
from labkit.brokers.kafka import library
from labkit.brokers.kafka.connection import KafkaConnection
from labkit.brokers.kafka.wire import LATEST
from labkit.evidence.collect import collect
from labkit.evidence.quiescence.model import State
from labkit.evidence.quiescence.wait import wait
from labkit.evidence.quiescence.watcher import Watcher
from labkit.pass_fail_unknown import Verdict
from labkit.stack import state
from labkit.stack.model import Stack
from labkit.system.profiles.choreography import CUSTOMER, ORDER, PROFILE
from labkit.verdict.judge import judge

SIZES = (1_000, 10_000, 100_000)
CUSTOMERS = 100
Row = tuple[str, str, str, str]  # of an outbox: id, destination, headers, payload
BATCH = 100  # orders in one transaction of a service
CUSTOMER_PACKAGE, ORDER_PACKAGE = CUSTOMER.name.rpartition(".")[0], ORDER.name.rpartition(".")[0]


def main() -> None:
    sizes = [int(text) for text in sys.argv[1:]] or list(SIZES)
    rows = []
    with own_labkit() as labkit:
        labkit("up")
        for size in sizes:
            labkit("reset", "--yes")
            began = time.perf_counter()
            fill(labkit, size)
            at_rest(labkit)
            print(f"… {size:,} orders are written, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
            rows.append((size, *measure(labkit)))
    heads = ("orders", "changes", "end state", "over time", "judging", "labkit verify", "processor", "memory")
    print("  ".join(f"{head:>13}" for head in heads))
    for size, changes, *seconds, memory in rows:
        print("  ".join([f"{size:>13,}", f"{changes:>13,}", *(f"{spent:>11.2f} s" for spent in seconds), f"{memory:>10.0f} MB"]))
    print("Goals: verify of 100,000 orders in 6 s and 15 s more for what is judged over time, 600 MB; of a small stack at rest 1.5 s.")


def measure(labkit: Labkit) -> tuple[int, float, float, float, float, float, float]:
    """Measures one verify in parts. Returns (changes; seconds to collect the end state, before that, to judge, of the whole command, of
    processor time for collecting; MB of all its processes together)."""
    begins: dict[str, float] = {}

    def tell(what: str) -> None:
        begins.setdefault("binlog" if "changes" in what or "binlog" in what else "stores", time.perf_counter())

    spent = processor_time()
    with tempfile.TemporaryDirectory(prefix="labkit-bench-") as folder:
        connection = collect(stack_of(labkit), Path(folder, "bench.duckdb"), tell=tell)
        end, spent = time.perf_counter(), processor_time() - spent
        verdict = judge(connection).verdict
        judged = time.perf_counter() - end
        gaps = connection.execute("SELECT source, reason FROM completeness WHERE NOT complete").fetchall()
        counts = connection.execute("SELECT (SELECT max(change_no) FROM inbox_changes), (SELECT count(*) FROM orders)").fetchone()
        connection.close()
    if gaps or counts is None or verdict is not Verdict.PASS:
        sys.exit(f"the evidence is not complete, or the history not right: {verdict.value}, {gaps}")
    verified = labkit.timed("verify")
    memory = labkit.weighed("verify")
    return counts[0], begins["binlog"] - begins["stores"], end - begins["binlog"], judged, verified, spent, memory


def processor_time() -> float:
    """Processor time in seconds of this process and its children, the workers. It is steadier than the clock on a busy machine."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def stack_of(labkit: Labkit) -> Stack:
    os.environ["LABKIT_HOME"] = labkit.home
    return state.load(NAME)


def at_rest(labkit: Labkit) -> None:
    """Wait until the stack is at rest; building the view takes time."""
    with Watcher(stack_of(labkit)) as watcher:
        stillness = wait(watcher, moving_for_s=600.0)
    if stillness.state is not State.SETTLED:
        sys.exit(f"the stack does not come to rest: {stillness}")


def fill(labkit: Labkit, orders: int) -> None:
    """Write the history of `orders` sagas: three transactions each, shared by a batch, with the relay's marks, the records and the
    positions of the groups. order-history builds its view from them."""
    import pymysql
    from pymysql.constants import CLIENT

    status = labkit.status()
    for service in ("customers", "orders", "relay"):  # otherwise they would take part
        os.kill(status.pids[service], signal.SIGTERM)
    messages, records = _Messages(), list[Row]()
    database = pymysql.connect(**status.connections["mysql"], autocommit=False, charset="utf8mb4", client_flag=CLIENT.MULTI_STATEMENTS)
    with database.cursor() as cursor:

        def outbox(schema: str, rows: list[Row]) -> None:
            columns = "id, destination, headers, payload, published, creation_time"
            insert = f"INSERT INTO {schema}.message ({columns}) VALUES (%s, %s, %s, %s, 0, 1)"
            cursor.execute(";".join([cursor.mogrify(insert, row) for row in rows]))  # one statement for each row, as the services do
            while cursor.nextset():
                pass
            ids = [row[0] for row in rows]
            cursor.execute(f"UPDATE {schema}.message SET published = 1 WHERE id IN ({', '.join(['%s'] * len(ids))})", ids)
            records.extend(rows)

        def inbox(schema: str, subscriber: str, rows: list[Row]) -> None:
            insert = f"INSERT INTO {schema}.received_messages (consumer_id, message_id, creation_time) VALUES (%s, %s, 1)"
            cursor.executemany(insert, [(subscriber, row[0]) for row in rows])

        made = [messages.customer(i) for i in range(1, CUSTOMERS + 1)]
        insert = "INSERT INTO customer_db.customer (id, name, amount, creation_time, version) VALUES (%s, %s, 10000000.00, 1, 0)"
        cursor.executemany(insert, [(i, f"Customer {i}") for i in range(1, CUSTOMERS + 1)])
        outbox("customer_db", made)
        inbox("order_db", "customerServiceEvents", made)
        database.commit()
        for batch in _batches(orders):
            facts = [(i, i % CUSTOMERS + 1, f"{i % 90 + 1}.{i % 100:02}") for i in batch]
            created = [messages.order("Created", *fact) for fact in facts]
            cursor.executemany(
                "INSERT INTO order_db.orders (id, customer_id, amount, state, version) VALUES (%s, %s, %s, 'PENDING', 0)", facts
            )
            outbox("order_db", created)
            database.commit()
            reserved = [messages.reserved(order, customer) for order, customer, _ in facts]
            inbox("customer_db", "OrderEventConsumer", created)
            insert = (
                "INSERT INTO customer_db.customer_credit_reservations (credit_reservations_key, customer_id, amount) VALUES (%s, %s, %s)"
            )
            cursor.executemany(insert, facts)
            outbox("customer_db", reserved)
            database.commit()
            approved = [messages.order("Approved", *fact) for fact in facts]
            inbox("order_db", "customerServiceEvents", reserved)
            cursor.execute(f"UPDATE order_db.orders SET state = 'APPROVED', version = 1 WHERE id BETWEEN {batch[0]} AND {batch[-1]}")
            outbox("order_db", approved)
            inbox("customer_db", "OrderEventConsumer", approved)
            database.commit()
    database.close()
    publish(kafka_account(status.connections), records)
    labkit("up")


def kafka_account(connections: dict[str, Any]) -> Account:
    at = connections["kafka"]
    host, _, port = at["bootstrap"].partition(":")
    return Account(host, int(port), at["user"] or "", at["password"] or "")


def publish(account: Account, rows: list[Row]) -> None:
    """Publish all records, and mark them as processed by the groups of customers and orders."""
    from confluent_kafka import Consumer, Producer, TopicPartition

    producer = Producer({**library.settings(account), "partitioner": "murmur2_random", "queue.buffering.max.messages": 1_000_000})
    for _, topic, headers, payload in rows:
        key = json.loads(headers)["PARTITION_ID"]
        producer.produce(topic, key=key, value=f'{{"payload":{json.dumps(payload)},"headers":{headers}}}')
        producer.poll(0)
    producer.flush()
    for group in ("OrderEventConsumer", "customerServiceEvents"):
        with KafkaConnection(account, timeout=5) as broker:
            while broker.groups([group])[0].members:  # a static member leaves after its session time-out
                time.sleep(0.1)
            topics = [topic for topic in broker.topics() if topic.name in PROFILE.taken_by(group)]
            ends = broker.offsets(topics, LATEST)
        consumer = Consumer({**library.settings(account), "group.id": group, "enable.auto.commit": False})
        consumer.commit(offsets=[TopicPartition(*place, end) for place, end in ends.items()], asynchronous=False)
        consumer.close()


def _batches(orders: int) -> Iterator[range]:
    for first in range(1, orders + 1, BATCH):
        yield range(first, min(first + BATCH, orders + 1))


class _Messages:
    """Rows of an outbox: id, destination, headers, payload."""

    def __init__(self) -> None:
        self._count = 0

    def _row(self, topic: str, key: int, event_type: str, payload: object) -> Row:
        self._count += 1
        message_id = f"{0x19D47EF7A50 + self._count // 100:016x}-{0x242AC120005 << 16 | self._count % 65536:016x}"
        headers = {
            "event-aggregate-type": topic,
            "event-aggregate-id": str(key),
            "event-type": event_type,
            "ID": message_id,
            "PARTITION_ID": str(key),
            "DESTINATION": topic,
            "DATE": "Tue, 24 Nov 2026 14:49:12 GMT",
        }
        return message_id, topic, json.dumps(headers, separators=(",", ":")), json.dumps(payload, separators=(",", ":"))

    def customer(self, customer: int) -> Row:
        payload = {"name": f"Customer {customer}", "creditLimit": {"amount": 10000000.00}}
        return self._row(CUSTOMER.name, customer, f"{CUSTOMER_PACKAGE}.CustomerCreatedEvent", payload)

    def reserved(self, order: int, customer: int) -> Row:
        return self._row(CUSTOMER.name, customer, f"{CUSTOMER_PACKAGE}.CustomerCreditReservedEvent", {"orderId": order})

    def order(self, what: str, order: int, customer: int, total: str) -> Row:
        payload = {"orderDetails": {"customerId": customer, "orderTotal": {"amount": float(total)}}}
        return self._row(ORDER.name, order, f"{ORDER_PACKAGE}.Order{what}Event", payload)


if __name__ == "__main__":
    main()
