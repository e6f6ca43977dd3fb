"""`labkit fault` as the tests use it, and checks of its effects that do not use labkit."""

import json
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from labkit.commands.fault import facts
from labkit.evidence.quiescence import pending_orders
from labkit.evidence.quiescence.wait import wait
from labkit.evidence.quiescence.watcher import Watcher
from labkit.faults.ledger import Ledger
from labkit.stack import state as states
from labkit.stack.docker.runtime import Docker
from labkit.stack.runtime import PAUSED, End
from labkit.stack.transactions import Transaction
from tests.e2e.shop import eventually, new_customer, new_order, order_state
from tests.running import Labkit, RunningStack, wait_until

GROUPS = {"customers": "OrderEventConsumer", "orders": "customerServiceEvents"}


class Faults:
    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self.labkit = stack.labkit
        self.gateway = stack.url("gateway")

    def __call__(self, *arguments: str) -> dict[str, Any]:
        """Runs `labkit fault ARGUMENTS --json`. Returns the fault."""
        return dict(json.loads(self.labkit("fault", *arguments, "--json").stdout))

    def all(self) -> dict[str, dict[str, Any]]:
        """Every fault by its id, as `labkit fault status` reports it."""
        return {fault["id"]: fault for fault in json.loads(self.labkit("fault", "status", "--json").stdout)["faults"]}

    def get(self, fault: dict[str, Any]) -> dict[str, Any]:
        """The current state of one fault. This is faster than `all`, which looks for the proofs of every fault."""
        found = Ledger(self.labkit.directory).get(fault["id"])
        assert found is not None
        return dict(json.loads(json.dumps(facts(self.stack.described, found))))

    def fires(self, fault: dict[str, Any]) -> None:
        """Waits until the fault has fired. Its second proof (a committed offset, an inbox row) appears slightly later than the first."""
        eventually(lambda: self.get(fault), lambda seen: seen["fired"])

    def heal(self, fault: dict[str, Any]) -> dict[str, Any]:
        self.labkit("heal", fault["id"])
        healed = self.get(fault)
        assert healed["state"] == "healed"
        return healed

    def hits(self, component: str, fault: dict[str, Any], *what: str) -> list[dict[str, Any]]:
        """The hits as the service wrote them, read without labkit."""
        path = self.labkit.directory / "control" / "hits" / component / "hits.jsonl"
        whole, _, _ = path.read_bytes().rpartition(b"\n")  # the last line may be incomplete
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if line["fault"] == fault["id"] and (not what or line["what"] in what)]

    def await_hit(self, component: str, fault: dict[str, Any], what: str, count: int = 1) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.hits(component, fault, what)) >= count, f"{component} writes {count} {what!r} of fault {fault['id']}")
        return self.hits(component, fault, what)

    def armed(self) -> list[dict[str, Any]]:
        file = self.labkit.directory / "control" / "armed" / "armed.json"
        return list(json.loads(file.read_text())["faults"]) if file.exists() else []  # the first fault creates it

    def committed(self, group: str, topic: str, partition: int) -> int:
        consumer = Consumer({**self.stack.kafka_client, "group.id": group})
        try:
            (place,) = consumer.committed([TopicPartition(topic, partition)], timeout=10)
            return max(0, int(place.offset))
        finally:
            consumer.close()

    def passes(self, component: str, topic: str, place: dict[str, Any]) -> None:
        """Waits until the record is processed. The group commits its position slightly later."""
        eventually(lambda: self.committed(GROUPS[component], topic, place["partition"]), lambda taken: taken > place["offset"])

    @cached_property
    def customer(self) -> int:
        """A customer with a high limit, made while customers was running."""
        return new_customer(self.gateway, "1000.00")

    def order_of(self, customer: int, total: str = "1.00") -> int:
        return new_order(self.gateway, customer, total)

    def order(self, limit: str = "15.00", total: str = "12.34") -> int:
        return new_order(self.gateway, new_customer(self.gateway, limit), total)

    def state(self, order: int) -> str:
        return order_state(self.gateway, order)[0]

    def becomes(self, order: int, state: str) -> None:
        eventually(lambda: self.state(order), state)

    def stays_pending(self, order: int, seconds: float = 0.3) -> None:
        """The only sign that nothing happens is that nothing has happened for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.state(order) == "PENDING"

    def message_of(self, order: int, event: str = "OrderCreatedEvent") -> str:
        """The id of an order's message in the outbox."""
        rows = self.stack.sql("select id, headers from order_db.message where headers like %s order by id", f"%{event}%")
        return next(str(row["id"]) for row in rows if json.loads(row["headers"])["event-aggregate-id"] == str(order))

    def end(self, component: str, since: float) -> End:
        """How the parent (the supervisor or the engine) saw the component end; waits for it."""
        found = eventually(lambda: self.stack.runtime.last_end(component, since - 0.1), lambda end: end is not None)
        assert found is not None
        return found

    def holder(self) -> int:
        """The holder's process. The holder of an earlier fault may be about to end."""
        (pid,) = eventually(lambda: holders(self.labkit), lambda found: len(found) == 1)
        return pid

    def is_frozen(self, component: str) -> bool:
        """Asks the kernel; for a container, asks the engine, which may freeze it in different ways."""
        seen = self.stack.runtime.status()[component]
        return seen.state == PAUSED if isinstance(self.stack.runtime, Docker) else state_of(seen.pid or 0) == "T"

    def heal_all(self) -> None:
        """Heals through the command line, if the test has left a fault."""
        if Ledger(self.labkit.directory).open():
            self.labkit("heal", "--all")

    def assert_nothing_left(self) -> None:
        assert self.armed() == []
        assert Ledger(self.labkit.directory).open() == []
        wait_until(self.stack.is_ready, "all components are ready")
        wait_until(lambda: not holders(self.labkit), "the holder ends")
        wait_until(lambda: not self._transactions_of_labkit(), "the transactions of whoever was killed are rolled back")

    def _transactions_of_labkit(self) -> list[Transaction]:
        of_labkit = {row["id"] for row in self.stack.sql("select id from information_schema.processlist where user = 'admin'")}
        return [transaction for transaction in self.stack.open_transactions() if transaction.connection in of_labkit]

    def rest(self) -> None:
        """Waits until work of earlier tests has ended: a message in transit would count as a hit of this test's fault."""
        with Watcher(states.load(self.labkit.name)) as watcher:
            wait(watcher, pending_orders.of_customers([]))


def holders(labkit: Labkit) -> list[int]:
    return [pid for pid, command in labkit.processes().items() if "labkit.faults.holder" in command]


def state_of(pid: int) -> str:
    """R, S, T (stopped) …; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
