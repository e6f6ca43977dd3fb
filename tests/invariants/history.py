"""Hand-written evidence: a history is written commit by commit, as the services would make it or otherwise, and the tables follow from it.

h = History()
h.customer(4, "Ada", "15.00")
h.order(9, 4, "12.34")          # the row and OrderCreated, in one commit
h.reserve(9)                    # customers: inbox, reservation, CustomerCreditReserved
h.approve(9)                    # orders: inbox, state, OrderApproved

Which messages there are comes from the profile. With an orchestrator, History(ORCHESTRATION):

h.order(9, 4, "12.34")          # the row, its saga and the command ReserveCredit, in one commit
h.reserve(9)                    # customers: inbox, reservation, the reply CustomerCreditReserved
h.approve(9)                    # orders: inbox, state, the end of the saga
"""

import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from labkit.evidence import database
from labkit.system.model import ANSWERS, MessageType, Profile
from labkit.system.profiles import choreography, orchestration

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHOREOGRAPHY, ORCHESTRATION = choreography.PROFILE, orchestration.PROFILE
TOPICS = {channel.short: channel.name for channel in CHOREOGRAPHY.channels}
CUSTOMERS, ORDERS, VIEW = choreography.FOR_CUSTOMERS, choreography.FOR_ORDERS, choreography.FOR_THE_VIEW
NOON = datetime(2026, 1, 5, 12, 0, 0)
PARTITIONS = 4


class History:
    def __init__(self, profile: Profile = CHOREOGRAPHY) -> None:
        self.profile = profile
        self._con = database.new(profile=profile)
        self._unwritten: list[tuple[str, dict[str, Any]]] = []  # written together when the evidence is read
        self._state: dict[int, tuple[str | None, str | None]] = {}
        self.commit_no = self._change_no = self._requests = 0
        self._ends = dict.fromkeys(((channel.name, p) for channel in profile.channels for p in range(PARTITIONS)), 0)
        self._events: dict[tuple[str, int], str] = {}  # (event, order or customer) → message id
        self._orders: dict[int, tuple[int, Decimal]] = {}
        self._sagas: dict[int, dict[str, Any]] = {}  # rows of saga_instances by order
        for source in ("tables", "binlog", "records", "groups", "view", "faults", "environment", "moment", "rest"):
            database.set_complete(self.con, source)
        database.set_fact(self.con, "stillness", "settled")
        database.set_fact(self.con, "stack", "default")
        database.finish(self.con)

    @property
    def con(self) -> "DuckDBPyConnection":
        """The evidence for everything written so far."""
        groups: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
        for table, row in self._unwritten:
            groups.setdefault((table, tuple(row)), []).append(row)
        self._unwritten = []
        for (table, columns), rows in groups.items():
            names = ", ".join(f'"{name}"' for name in columns)
            values = ", ".join(f"({', '.join('?' * len(columns))})" for _ in rows)
            self._con.execute(f"INSERT INTO {table} ({names}) VALUES {values}", [row[name] for row in rows for name in columns])
        return self._con

    # the actions of the services

    def customer(self, customer_id: int, name: str = "Ada", limit: str = "15.00", *, view: bool = True) -> None:
        with self.commit():
            self.add("customers", id=customer_id, name=name, credit_limit=Decimal(limit), version=0)
            self.change("customer_changes", "insert", after_id=customer_id, after_name=name, after_credit_limit=Decimal(limit))
            self.announce("customer stored", customer_id=customer_id)
        if view:
            self.see_customer(customer_id, name, limit)

    def order(
        self, order_id: int, customer_id: int, total: str, *, published: bool = True, asked: bool = True, state: str = "PENDING"
    ) -> None:
        self._orders[order_id] = customer_id, Decimal(total)
        self._state[order_id] = state, None
        if asked:
            self.request("create_order", "ok", customer_id=customer_id, order_id=order_id, total=total)
        with self.commit():
            self.add("orders", id=order_id, customer_id=customer_id, total=Decimal(total), state=state, version=0)
            self.change(
                "order_changes",
                "insert",
                after_id=order_id,
                after_customer_id=customer_id,
                after_total=Decimal(total),
                after_state=state,
            )
            if self.orchestrated:
                self._begin_saga(order_id)
            if published:
                self.announce("order stored", order_id=order_id)
        self.see_order(order_id, state)

    def reserve(
        self, order_id: int, *, amount: str | None = None, holder: int | None = None, inbox: bool = True, answer: bool = True
    ) -> None:
        with self.commit():
            self.reserve_within(order_id, amount=amount, holder=holder, inbox=inbox, answer=answer)

    def reserve_within(
        self, order_id: int, *, amount: str | None = None, holder: int | None = None, inbox: bool = True, answer: bool = True
    ) -> None:
        customer_id, total = self._orders[order_id]
        if inbox:
            self._take("answer", order_id)
        self.hold(holder or customer_id, order_id, Decimal(amount) if amount else total)
        if answer:
            self.answer(order_id, "granted")

    def refuse(self, order_id: int, event: str = "", *, inbox: bool = True) -> None:
        with self.commit():
            self.refuse_within(order_id, event, inbox=inbox)

    def refuse_within(self, order_id: int, event: str = "", *, inbox: bool = True) -> None:
        if inbox:
            self._take("answer", order_id)
        self.publish(event or self.answering("refused"), order_id=order_id, customer_id=self._orders[order_id][0])

    def answer(self, order_id: int, answer: str) -> None:
        """`answer` is granted, refused or unknown customer."""
        self.publish(self.answering(answer), order_id=order_id, customer_id=self._orders[order_id][0])

    def approve(self, order_id: int, **how: Any) -> None:
        self.decide(order_id, "APPROVED", None, self.answering("granted"), "order approved", **how)

    def reject(self, order_id: int, reason: str = "INSUFFICIENT_CREDIT", **how: Any) -> None:
        self.decide(order_id, "REJECTED", reason, self._refusing(reason), "order rejected", **how)

    def decide(
        self,
        order_id: int,
        state: str,
        reason: str | None,
        cause: str,
        change: str,
        *,
        inbox: bool = True,
        published: bool = True,
        seen: bool = True,
        compensating: bool | None = None,
    ) -> None:
        """`compensating` says that the saga compensated. By default it did when the order is REJECTED."""
        with self.commit():
            if inbox:
                self.receive(self._reacting("decision"), cause, order_id)
            self.state(order_id, state, reason)
            if self.orchestrated:
                self.end_saga(order_id, compensating=state == "REJECTED" if compensating is None else compensating)
            if published:
                self.announce(change, order_id=order_id)
        if seen:
            self.see_order(order_id, state)

    def cancel(self, order_id: int, *, asked: bool = True) -> None:
        if asked:
            self.request("cancel_order", "ok", order_id=order_id)
        with self.commit():
            self.state(order_id, "CANCELLED")
            self.announce("order cancelled", order_id=order_id)
        self.see_order(order_id, "CANCELLED")

    def release(self, order_id: int, *, held: bool = True) -> None:
        with self.commit():
            self._take("release", order_id)
            if held:
                self.let_go(self._orders[order_id][0], order_id)

    def saga(self, order_id: int, customer_id: int, total: str) -> None:
        """A complete order that is approved."""
        self.order(order_id, customer_id, total)
        self.reserve(order_id)
        self.approve(order_id)

    def rejected(self, order_id: int, customer_id: int, total: str, reason: str = "INSUFFICIENT_CREDIT") -> None:
        self.order(order_id, customer_id, total)
        self.refuse(order_id, self._refusing(reason))
        self.reject(order_id, reason)

    # the messages for each change, from the profile

    @property
    def orchestrated(self) -> bool:
        return any(message.kind == "command" for message in self.profile.messages)

    def type_of(self, event: str) -> MessageType:
        return next(message for message in self.profile.messages if message.name == event)

    def announce(self, change: str, *, order_id: int | None = None, customer_id: int | None = None) -> None:
        """Write the message that announces a change, if the profile has one."""
        for message in self.profile.messages:
            if message.announces == change:
                self.publish(message.name, order_id=order_id, customer_id=customer_id)

    def answering(self, answer: str) -> str:
        return next(message.name for message in self.profile.messages if message.answers == answer)

    def _refusing(self, reason: str) -> str:
        return self.answering(next(answer for answer, (_, why) in ANSWERS.items() if why == reason))

    def _reacting(self, effect: str) -> str:
        return next(reaction.subscriber for reaction in self.profile.reactions if reaction.effect == effect)

    def _take(self, effect: str, order_id: int) -> None:
        """Each subscriber that must have this effect records the message as received."""
        reaction = next(reaction for reaction in self.profile.reactions if reaction.effect == effect)
        self.receive(reaction.subscriber, reaction.message, order_id)

    def _schema(self, subscriber: str) -> str:
        subscription = self.profile.subscription(subscriber)
        assert subscription is not None
        return subscription.store

    # the actions of an orchestrator

    def _begin_saga(self, order_id: int) -> None:
        self._sagas[order_id] = {
            "schema_name": self._schema(self._reacting("decision")),
            "saga_type": orchestration.SAGA,
            "saga_id": f"{0x19D47EF7A00 + order_id:016x}-0242ac1200060000",
            "state_name": '{"currentlyExecuting":1,"compensating":false,"endState":false,"failed":false}',
            "end_state": False,
            "compensating": False,
            "failed": False,
            "order_id": order_id,
        }
        self.add("saga_instances", **self._sagas[order_id])

    def end_saga(self, order_id: int, *, compensating: bool = False, failed: bool = False) -> None:
        self._forget("saga_instances", order_id=order_id)
        state = f'{{"currentlyExecuting":0,"compensating":false,"endState":true,"failed":{str(failed).lower()}}}'
        ended = {"state_name": state, "end_state": True, "compensating": compensating, "failed": failed}
        self.add("saga_instances", **{**self._sagas[order_id], **ended})

    # parts of these actions

    @contextmanager
    def commit(self) -> Iterator[int]:
        self.commit_no += 1
        self.add(
            "transactions",
            commit_no=self.commit_no,
            binlog_file="binlog.000002",
            position=1000 + 100 * self.commit_no,
            committed=self.now(),
            precision_us=1,
        )
        yield self.commit_no

    def now(self) -> datetime:
        return NOON + timedelta(milliseconds=10 * self.commit_no)

    def hold(self, customer_id: int, order_id: int, amount: Decimal) -> None:
        self.add("reservations", customer_id=customer_id, order_id=order_id, amount=amount)
        self.change("reservation_changes", "insert", after_customer_id=customer_id, after_order_id=order_id, after_amount=amount)

    def let_go(self, customer_id: int, order_id: int) -> None:
        amount = self.one("select amount from reservations where customer_id = ? and order_id = ?", customer_id, order_id)
        self.con.execute("delete from reservations where customer_id = ? and order_id = ?", [customer_id, order_id])
        self.change("reservation_changes", "delete", before_customer_id=customer_id, before_order_id=order_id, before_amount=amount)

    def state(self, order_id: int, state: str, reason: str | None = None) -> None:
        customer_id, total = self._orders[order_id]
        before, before_reason = self._state[order_id]
        self._state[order_id] = state, reason
        row = self._pending("orders", id=order_id)
        if row is not None:
            row |= {"state": state, "rejection_reason": reason}
        else:
            self.con.execute("update orders set state = ?, rejection_reason = ? where id = ?", [state, reason, order_id])
        self.change(
            "order_changes",
            "update",
            before_id=order_id,
            before_customer_id=customer_id,
            before_total=total,
            before_state=before,
            before_rejection_reason=before_reason,
            after_id=order_id,
            after_customer_id=customer_id,
            after_total=total,
            after_state=state,
            after_rejection_reason=reason,
        )

    def publish(
        self, event: str, *, order_id: int | None = None, customer_id: int | None = None, relayed: bool = True, like: str = "", **place: Any
    ) -> str:
        """Add an outbox row to the current commit and, when relayed, its record. A type that no profile has uses the channel of `like`."""
        message = self.type_of(like or event)
        channel, schema = message.channel, self.profile.service(message.sender).schema
        if order_id in self._orders:
            customer_id = customer_id or self._orders[order_id][0]
        message_id = f"{0x19D47EF7A00 + self._change_no:016x}-0242ac1200050000"
        aggregate = {"order": order_id, "customer": customer_id}.get(channel.about)
        about = {
            "topic": channel.name,
            "channel": channel.short,
            "event": event,
            "aggregate_id": aggregate,
            "order_id": order_id,
            "customer_id": customer_id,
            "key": str(aggregate) if channel.about else str(uuid.UUID(int=self._change_no)),  # commands and replies have no order
        }
        if message.kind != "event" and order_id in self._sagas:
            about["saga_id"] = self._sagas[order_id]["saga_id"]
        if message.kind == "reply":
            command = next(reaction.message for reaction in self.profile.reactions if event in reaction.then)
            about["reply_to"] = self._events.get((command, order_id or 0))
        self._events[event, order_id or customer_id or 0] = message_id
        self.add(
            "outbox",
            id=message_id,
            schema_name=schema,
            published=relayed,
            created=self.now(),
            headers=json.dumps({"ID": message_id}),
            payload="{}",
            **about,
        )
        self.change("outbox_changes", "insert", schema_name=schema, message_id=message_id, **about)
        if relayed:
            self.record(message_id, **{**about, **place})
        return message_id

    def record(self, message_id: str | None, *, partition_no: int | None = None, **about: Any) -> tuple[str, int, int]:
        topic = about.get("topic") or self.profile.channels[0].name
        if partition_no is None:
            partition_no = int(hashlib.md5(str(about.get("key")).encode()).hexdigest(), 16) % PARTITIONS
        offset = self._ends[topic, partition_no]
        self._ends[topic, partition_no] += 1
        self.add(
            "records",
            message_id=message_id,
            partition_no=partition_no,
            offset_no=offset,
            message_index=0,
            appended=self.now(),
            **{"topic": topic, "channel": self.profile.short(topic), **about},
        )
        return topic, partition_no, offset

    def repeat(self, event: str, subject: int) -> tuple[str, int, int]:
        """The relay publishes a message again, with the same id and key."""
        row = self.con.execute("select * from records where message_id = ?", [self._events[event, subject]]).fetchall()[0]
        columns = [d[0] for d in self.con.description or []]
        about = dict(zip(columns, row, strict=True))
        for name in ("offset_no", "message_index", "appended"):
            about.pop(name)
        return self.record(about.pop("message_id"), **about)

    def receive(self, subscriber: str, event: str, subject: int) -> None:
        message_id = self._events.get((event, subject), f"no such {event}")
        schema = self._schema(subscriber)
        self.add("inbox", schema_name=schema, subscriber=subscriber, message_id=message_id, received=self.now())
        self.change("inbox_changes", "insert", schema_name=schema, subscriber=subscriber, message_id=message_id)

    def park(self, subscriber: str, event: str, subject: int, cause: str) -> None:
        message_id = self._events[event, subject]
        topic, partition, offset = self.con.execute(
            "select topic, partition_no, offset_no from records where message_id = ?", [message_id]
        ).fetchall()[0]
        self.add(
            "dead_letters",
            store="mysql",
            schema_name=self._schema(subscriber),
            subscriber=subscriber,
            topic=topic,
            partition_no=partition,
            offset_no=offset,
            message_index=0,
            message_id=message_id,
            cause=cause,
            parked=self.now(),
        )

    @property
    def _has_view(self) -> bool:
        return any(subscription.stores_positions for subscription in self.profile.subscriptions)

    def see_customer(self, customer_id: int, name: str | None, limit: str | None) -> None:
        if not self._has_view:
            return
        self._forget("view_customers", id=customer_id)
        self.add(
            "view_customers",
            id=customer_id,
            name=name,
            credit_limit=Decimal(limit) if limit else None,
            credit_limit_text=limit,
            listed=True,
        )

    def see_order(self, order_id: int, state: str | None) -> None:
        if not self._has_view:
            return
        customer_id, total = self._orders[order_id]
        if self._pending("view_customers", id=customer_id) is None and not self.one(
            "select count(*) from view_customers where id = ?", customer_id
        ):
            self.see_customer(customer_id, None, None)
        self._forget("view_orders", order_id=order_id)
        self.add("view_orders", customer_id=customer_id, order_id=order_id, state=state, total=total, total_text=str(total))

    def request(self, operation: str, outcome: str, **about: Any) -> None:
        self._requests += 1
        path = "/customers" if operation == "create_customer" else "/orders"
        if operation == "cancel_order":
            path = f"/orders/{about['order_id']}/cancel"
        status = {"ok": 200, "refused": 400}.get(outcome)
        self.add(
            "requests",
            id=self._requests,
            operation=operation,
            method="POST",
            path=path,
            outcome=outcome,
            status=status,
            started=self.now(),
            ended=self.now(),
            **about,
        )

    def change(self, table: str, op: str, **columns: Any) -> None:
        self._change_no += 1
        self.add(table, commit_no=self.commit_no, change_no=self._change_no, op=op, **columns)

    def add(self, table: str, **columns: Any) -> None:
        self._unwritten.append((table, columns))

    def _pending(self, table: str, **key: Any) -> dict[str, Any] | None:
        """A row that is not written yet."""
        return next((row for t, row in self._unwritten if t == table and all(row.get(k) == v for k, v in key.items())), None)

    def _forget(self, table: str, **key: Any) -> None:
        row = self._pending(table, **key)
        if row is not None:
            self._unwritten = [(t, r) for t, r in self._unwritten if r is not row]
            return
        ((name, value),) = key.items()
        self.con.execute(f"delete from {table} where {name} = ?", [value])

    def one(self, query: str, *values: Any) -> Any:
        row = self.con.execute(query, list(values)).fetchone()
        assert row is not None
        return row[0]

    def scope(self, *customers: int) -> None:
        for customer in customers:
            self.add("scope", customer_id=customer)

    def message_id(self, event: str, subject: int) -> str:
        return self._events[event, subject]
