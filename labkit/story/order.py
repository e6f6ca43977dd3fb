"""The story of one order: request → row → outbox → relay → broker → inbox → effect → answer → … → view.

The first hop that should be there and is not is where to look.
"""

from typing import TYPE_CHECKING

from labkit.story.handling import asked
from labkit.story.model import ANSWERS, CUSTOMERS, ENDS, LANE_OF, ORDERS, VIEW, Diagnosis, Story, Told, last_line
from labkit.story.tables import Tables
from labkit.story.walk import Walk

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def story_of(connection: "DuckDBPyConnection", order_id: int) -> Story:
    """The story of an order; hops about what cannot be known are left out."""
    return _OrderStory(Tables(connection), order_id).tell()


class _OrderStory:
    def __init__(self, tables: Tables, order_id: int) -> None:
        self._tables, self._id = tables, order_id
        self._walk = Walk(tables)
        self._messages = tables.messages(order_id)
        row = tables.row("SELECT customer_id, total, state, rejection_reason FROM orders WHERE id = ?", order_id)
        self._exists = row is not None
        self._customer_id, self._total, self._state, self._reason = row or (None, None, None, None)
        if row is None:
            asked = tables.row("SELECT customer_id, total FROM requests WHERE order_id = ? AND operation = 'create_order'", order_id)
            self._customer_id, self._total = asked or (None, None)

    def tell(self) -> Story:
        self._request()
        self._row()
        if self._state is not None or not self._walk.stopped:
            created = self._message("OrderCreated")
            if self._deliver(
                "OrderCreated", created, "order_db", CUSTOMERS, "creating an order and publishing OrderCreated belong in one transaction"
            ):
                self._answered()
        answer = self._answer()
        if self._state is not None:
            self._ended(answer)
        self._view()
        walk = self._walk
        return Story(
            f"Order {self._id}",
            self._customer_id,
            self._tables.customer(self._customer_id),
            self._total,
            self._state,
            self._reason,
            tuple(walk.hops),
            walk.diagnosis,
        )

    def _message(self, *events: str) -> Told | None:
        found = [m for m in self._messages if m.event in events]
        own = [m for m in found if m.schema] or found
        return own[0] if own else None

    def _asked(self, service: str, event: str) -> str:
        message = self._message(event)
        return asked(self._tables, service, event, message.id if message else None)

    def _answer(self) -> Told | None:
        return self._message(*ANSWERS)

    def _request(self) -> None:
        row = self._tables.row(
            "SELECT method, path, status, ended FROM requests WHERE order_id = ? AND operation = 'create_order' ORDER BY id",
            self._id,
        )
        if row:
            method, path, status, ended = row
            text = f"{method} {path} answered {status}" if status else f"{method} {path} got no answer"
            self._walk.ok("request", text, "the scenario's requests", at=ended, lane="client")

    def _row(self) -> None:
        if reason := self._tables.unread("tables"):
            self._walk.unread(
                "row", f"could not be read: {reason}", "order_db.orders", Diagnosis(f"MySQL could not be read: {reason}.", "labkit status")
            )
            return
        if not self._exists:
            others = [m for m in self._messages if m.channel == "Order"]
            text = f"there is no order {self._id}"
            why = f"messages about order {self._id} exist without it" if others else f"{text} in order_db.orders"
            self._walk.stop(
                "row", text, "order_db.orders", Diagnosis(f"{why}.", 'labkit sql "select id, state from orders order by id"'), lane="orders"
            )
            return
        commit = self._tables.row(
            "SELECT c.commit_no, t.committed, t.precision_us FROM order_commits c JOIN transactions t USING "
            "(commit_no) WHERE c.id = ? AND c.op = 'insert'",
            self._id,
        )
        state = f"{self._state} {self._reason}" if self._reason else f"{self._state}"
        source = "order_db.orders" + (f", {self._tables.commit(commit[0])}" if commit else "")
        self._walk.ok(
            "row",
            f"orders {self._id} {state}" if self._state == "PENDING" else f"orders {self._id}, now {state}",
            source,
            at=commit[1] if commit else None,
            coarse=bool(commit and commit[2] > 1000),
            lane="orders",
        )

    def _deliver(self, event: str, message: Told | None, schema: str, subscriber: str, missing: str) -> bool:
        """Outbox, relay, broker, inbox of one message. False when it did not arrive."""
        walk, sender = self._walk, LANE_OF[schema]
        if walk.stopped and (message is None or subscriber not in message.taken):
            walk.wait("outbox" if message is None else "consumer", event=event)
            return False
        if message is None:
            walk.stop(
                "outbox",
                f"{event} is in no outbox",
                f"{schema}.message",
                Diagnosis(f"{sender} wrote no {event}: {missing}.", f"labkit logs {sender}"),
                lane=sender,
                event=event,
            )
            return False
        if message.schema:
            source = f"{message.schema}.message" + (f", {message.commit}" if message.commit else "")
            walk.ok("outbox", f"{event} {message.id}", source, at=message.created, lane=sender, event=event)
        if not self._walk.relayed(event, message, sender):
            return subscriber in message.taken
        return self._walk.taken(event, message, subscriber)

    def _answered(self) -> None:
        """What customers did with OrderCreated."""
        walk, answer = self._walk, self._answer()
        held = self._tables.rows("SELECT customer_id, amount FROM reservations WHERE order_id = ? ORDER BY customer_id", self._id)
        for customer_id, amount in held:
            walk.ok(
                "effect",
                f"{amount} reserved for customer {customer_id}",
                "customer_db.customer_credit_reservations",
                lane="customers",
                event="OrderCreated",
            )
        if answer is None:
            walk.stop(
                "effect",
                "customers received OrderCreated and answered nothing",
                "customer_db.message",
                Diagnosis(
                    "customers took OrderCreated and published no answer, though each order needs one: "
                    + self._asked("customers", "OrderCreated"),
                    "labkit logs customers",
                ),
                lane="customers",
                event="OrderCreated",
            )
            return
        if not held and answer.event != "CustomerCreditReserved":
            walk.ok("effect", "no credit was reserved", "customer_db.customer_credit_reservations", lane="customers", event="OrderCreated")
        self._deliver(answer.event, answer, "customer_db", ORDERS, "each order needs one answer")

    def _ended(self, answer: Told | None) -> None:
        walk, state = self._walk, self._state or ""
        if state == "PENDING":
            if not walk.stopped and answer:
                walk.stop(
                    "state",
                    f"orders received {answer.event} and left the order PENDING",
                    "order_db.orders",
                    Diagnosis(
                        f"orders took {answer.event} and did nothing with it: {self._asked('orders', answer.event)}", "labkit logs orders"
                    ),
                    lane="orders",
                    event=answer.event,
                )
            elif walk.stopped:
                walk.wait("state", "waiting: the order is PENDING")
            return
        for event in ("OrderApproved", "OrderRejected", "OrderCancelled"):
            after = {"OrderApproved": ("APPROVED", "CANCELLED"), "OrderRejected": ("REJECTED",), "OrderCancelled": ("CANCELLED",)}[event]
            if state in after:
                self._end(event, {"OrderApproved": "APPROVED", "OrderRejected": "REJECTED", "OrderCancelled": "CANCELLED"}[event])

    def _end(self, event: str, state: str) -> None:
        """The order got a state, and an event told of it."""
        walk, message = self._walk, self._message(event)
        commit = self._tables.row(
            "SELECT c.commit_no, t.committed, t.precision_us, c.after_rejection_reason "
            "FROM order_commits c JOIN transactions t USING (commit_no) "
            "WHERE c.id = ? AND c.after_state = ? AND c.before_state IS DISTINCT FROM c.after_state "
            "ORDER BY c.commit_no DESC LIMIT 1",
            self._id,
            state,
        )
        source = "order_db.orders" + (f", {self._tables.commit(commit[0])}" if commit else "")
        reason = f" {self._reason}" if state == "REJECTED" and self._reason else ""
        walk.ok(
            "state",
            f"order {self._id} became {state}{reason}",
            source,
            at=commit[1] if commit else None,
            coarse=bool(commit and commit[2] > 1000),
            lane="orders",
            event=event,
        )
        if event == "OrderCancelled":
            walk.stopped = False  # a new chain begins with the cancelling
            if self._deliver(
                event, message, "order_db", CUSTOMERS, "cancelling an order and publishing OrderCancelled belong in one transaction"
            ):
                self._released()
            return
        if message is None:
            if not walk.stopped:
                walk.stop(
                    "outbox",
                    f"{event} is in no outbox",
                    "order_db.message",
                    Diagnosis(
                        f"orders changed the order and wrote no {event}: state and event belong in one transaction.", "labkit logs orders"
                    ),
                    lane="orders",
                    event=event,
                )
            return
        walk.ok(
            "outbox",
            f"{event} {message.id}",
            "order_db.message" + (f", {message.commit}" if message.commit else ""),
            at=message.created,
            lane="orders",
            event=event,
        )
        self._walk.relayed(event, message, "orders")

    def _released(self) -> None:
        held = self._tables.rows("SELECT customer_id, amount FROM reservations WHERE order_id = ?", self._id)
        source = "customer_db.customer_credit_reservations"
        if not held:
            self._walk.ok("effect", f"the reservation of order {self._id} is gone", source, lane="customers", event="OrderCancelled")
            return
        self._walk.stop(
            "effect",
            f"no reservation of order {self._id} was removed",
            source,
            Diagnosis(
                f"customers got the event and did nothing with it: {self._asked('customers', 'OrderCancelled')}", "labkit logs customers"
            ),
            lane="customers",
            event="OrderCancelled",
        )

    def _view(self) -> None:
        walk, tables = self._walk, self._tables
        if reason := tables.unread("view"):
            walk.unread("view", f"could not be read: {reason}", "Redis", self._walk.down("redis", reason), lane="order-history")
            return
        if self._state is None:
            return
        source = f"Redis, customerview:{self._customer_id}"
        row = tables.row("SELECT state, total FROM view_orders WHERE order_id = ? AND customer_id = ?", self._id, self._customer_id)
        if row and row[0] == self._state and row[1] == self._total:
            walk.ok("view", f"{row[0]}, as it should be", source, lane="order-history")
            return
        event = ENDS.get(self._state, "OrderCreated")
        message = self._message(event)
        text = "does not know the order" if row is None else f"shows {row[0]} {row[1]}, {self._state} {self._total} would be right"
        if message is None or message.first is None:
            walk.wait("view", f"{text}: {event} has not reached Kafka" if message else text, lane="order-history")
            return
        walk.stop("view", f"the view {text}", source, self._view_is(event, message), lane="order-history", event="view")

    def _view_is(self, event: str, message: Told) -> Diagnosis:
        if cause := message.parked.get(VIEW):
            return self._walk.parked(event, message, "order-history", last_line(cause))
        if diagnosis := self._walk.component("order-history") or self._walk.component("redis"):
            return diagnosis
        assert message.first
        at = self._tables.row(
            "SELECT position FROM view_positions WHERE topic = ? AND partition_no = ?", message.first.topic, message.first.partition
        )
        if at is None or at[0] <= message.first.offset:
            stands = f"stands at offset {at[0]}" if at else "has taken nothing"
            return Diagnosis(
                f"order-history has not reached {event} yet: of {message.first.channel}, partition {message.first.partition} it {stands}.",
                "labkit logs order-history",
            )
        who = self._asked("order-history", event).removesuffix("?")
        what = f"{who}, and which fields does it write?" if who.startswith("which") else who
        return Diagnosis(f"order-history took {event} and the view does not show it: {what}", "labkit logs order-history")
