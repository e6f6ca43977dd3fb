"""The story of one order: request → row → credit request → effect → answer → state → saga → view.

Each message passes through outbox, relay, broker and inbox (see delivery.py). The first missing hop is the place to look.
"""

from typing import TYPE_CHECKING, Any

from labkit.trace.delivery import delivered, outbox, published, unwritten, written
from labkit.trace.handler import handler_words
from labkit.trace.model import Diagnosis, Message, Story
from labkit.trace.saga import saga, why_pending
from labkit.trace.system import CHANGE_TO, SeenMessageType, SeenReaction
from labkit.trace.tables import EvidenceTables
from labkit.trace.view_hop import order_view
from labkit.trace.walk import Walk

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ENDS = {"APPROVED": ("APPROVED",), "REJECTED": ("REJECTED",), "CANCELLED": ("APPROVED", "CANCELLED")}
"""The states through which an order reaches its final state."""


def story_of(connection: "DuckDBPyConnection", order_id: int) -> Story:
    """Return the story of an order. Hops that cannot be known are left out."""
    return _OrderStory(EvidenceTables(connection), order_id).story()


class _OrderStory:
    def __init__(self, tables: EvidenceTables, order_id: int) -> None:
        self._tables, self._system, self._id = tables, tables.system, order_id
        self._walk = Walk(tables)
        self._owner, self._source = self._system.owners["orders"], self._system.sources["orders"]
        self._held = self._system.sources["reservations"]
        self._messages = tables.messages(order_id)
        row = tables.row("SELECT customer_id, total, state, rejection_reason FROM orders WHERE id = ?", order_id)
        self._exists = row is not None
        self._customer_id, self._total, self._state, self._reason = row or (None, None, None, None)
        if row is None:
            wanted = tables.row("SELECT customer_id, total FROM requests WHERE order_id = ? AND operation = 'create_order'", order_id)
            self._customer_id, self._total = wanted or (None, None)

    def story(self) -> Story:
        self._request()
        self._row()
        answer = self._message(*self._system.answers)
        if self._state is not None or not self._walk.stopped:
            self._asked(answer)
        if self._state == "PENDING":
            self._pending(answer)
        for state in ENDS.get(self._state or "", ()):
            self._ended(state)
        if self._state is not None:
            order_view(self._walk, self._id, self._customer_id, self._state, self._total, self._message)
        return Story(
            f"Order {self._id}",
            self._customer_id,
            self._tables.customer(self._customer_id),
            self._total,
            self._state,
            self._reason,
            tuple(self._walk.hops),
            self._walk.diagnosis,
        )

    def _message(self, *events: str) -> Message | None:
        found = [m for m in self._messages if m.event in events]
        own = [m for m in found if m.schema] or found
        return own[0] if own else None

    def _handler(self, service: str, event: str) -> str:
        message = self._message(event)
        return handler_words(self._tables, service, event, message.id if message else None)

    def _request(self) -> None:
        row = self._tables.row(
            "SELECT method, path, status, ended FROM requests WHERE order_id = ? AND operation = 'create_order' ORDER BY id",
            self._id,
        )
        if row:
            method, path, status, ended = row
            text = f"{method} {path} answered {status}" if status else f"{method} {path} got no answer"
            self._walk.ok("request", text, "the scenario's requests", at=ended, lane=self._owner, origin="client")

    def _row(self) -> None:
        walk, owner = self._walk, self._owner
        if reason := self._tables.unread("tables"):
            walk.unread("row", "tables", reason, lane=owner)
            return
        if not self._exists:
            text = f"there is no order {self._id}"
            others = [m for m in self._messages if self._system.keys.get(m.channel) == "order"]
            why = f"messages about order {self._id} exist without it" if others else f"{text} in {self._source}"
            look = 'labkit sql "select id, state from orders order by id"'
            walk.stop("row", text, self._source, Diagnosis(f"{why}.", look), lane=owner)
            return
        state = f"{self._state} {self._reason}" if self._reason else f"{self._state}"
        name = self._source.rpartition(".")[2]
        text = f"{name} {self._id} {state}" if self._state == "PENDING" else f"{name} {self._id}, now {state}"
        walk.ok("row", text, **self._committed("c.op = 'insert'"), lane=owner)

    def _committed(self, condition: str, *values: object) -> dict[str, Any]:
        """Return position and time of the last such commit to the order's row."""
        commit = self._tables.row(
            "SELECT c.commit_no, t.committed, t.precision_us FROM order_commits c JOIN transactions t USING (commit_no) "
            f"WHERE c.id = ? AND {condition} ORDER BY c.commit_no DESC LIMIT 1",
            *(self._id, *values),
        )
        if commit is None:
            return {"source": self._source}
        return {"source": f"{self._source}, {self._tables.commit(commit[0])}", "at": commit[1], "coarse": commit[2] > 1000}

    def _asked(self, answer: Message | None) -> None:
        """Add the message that asks for credit, its subscriber's effect, and the path of the answer."""
        asking = self._system.reaction("answer")
        kind = self._system.type_of(asking.event) if asking else None
        if asking is None or kind is None:
            return
        rule = f"creating an order and publishing {kind.event} belong in one transaction"
        if delivered(self._walk, kind, self._message(kind.event), asking.subscriber, rule):
            self._answered(asking, answer)

    def _answered(self, asking: SeenReaction, answer: Message | None) -> None:
        walk, service = self._walk, asking.subscriber.component
        about = {"lane": service, "event": asking.event}
        held = self._tables.rows("SELECT customer_id, amount FROM reservations WHERE order_id = ? ORDER BY customer_id", self._id)
        for customer_id, amount in held:
            walk.ok("effect", f"{amount} reserved for customer {customer_id}", self._held, **about)
        kind = self._system.type_of(answer.event) if answer else None
        if answer is None or kind is None:
            text = f"{service} took {asking.event} and published no answer, though each order needs one: "
            why = Diagnosis(text + self._handler(service, asking.event), f"labkit logs {service}")
            walk.stop("effect", f"{service} received {asking.event} and answered nothing", outbox(asking.subscriber.store), why, **about)
            return
        if not held and kind.answers != "granted":
            walk.ok("effect", "no credit was reserved", self._held, **about)
        if decision := self._system.reaction("decision", answer.event):
            delivered(walk, kind, answer, decision.subscriber, "each order needs one answer")

    def _pending(self, answer: Message | None) -> None:
        walk, owner = self._walk, self._owner
        if walk.stopped:
            walk.wait("state", "waiting: the order is PENDING", lane=owner)
        elif answer:
            why = why_pending(self._tables, self._id)
            why = why or f"{owner} took {answer.event} and did nothing with it: {self._handler(owner, answer.event)}"
            text = f"{owner} received {answer.event} and left the order PENDING"
            walk.stop("state", text, self._source, Diagnosis(why, f"labkit logs {owner}"), lane=owner, event=answer.event)
        saga(walk, self._id, "PENDING")

    def _ended(self, state: str) -> None:
        """Add the order's state, the end of its saga, and the message that announces the state, if the system has one."""
        walk, owner = self._walk, self._owner
        kind = self._system.announcing(CHANGE_TO[state])
        reason = f" {self._reason}" if state == "REJECTED" and self._reason else ""
        commit = self._committed("c.after_state = ? AND c.before_state IS DISTINCT FROM c.after_state", state)
        walk.ok("state", f"order {self._id} became {state}{reason}", **commit, lane=owner, event=kind.event if kind else "")
        if state == "CANCELLED":
            self._cancelled()
            return
        saga(walk, self._id, self._state or state)
        if kind is None:
            return
        message = self._message(kind.event)
        if message:
            written(walk, kind, message)
            published(walk, kind.event, message)
        elif not walk.stopped:
            unwritten(walk, kind, f"{owner} changed the order and wrote no {kind.event}: state and event belong in one transaction.")

    def _cancelled(self) -> None:
        """Add the message that releases the credit, if the system has one."""
        release = self._system.reaction("release")
        kind = self._system.type_of(release.event) if release else None
        if release is None or kind is None:
            return
        self._walk.stopped = False  # the cancellation starts a new chain
        rule = f"cancelling an order and publishing {kind.event} belong in one transaction"
        if delivered(self._walk, kind, self._message(kind.event), release.subscriber, rule):
            self._released(release, kind)

    def _released(self, release: SeenReaction, kind: SeenMessageType) -> None:
        service = release.subscriber.component
        about = {"lane": service, "event": release.event}
        held = self._tables.rows("SELECT customer_id, amount FROM reservations WHERE order_id = ?", self._id)
        if not held:
            self._walk.ok("effect", f"the reservation of order {self._id} is gone", self._held, **about)
            return
        why = f"{service} got the {kind.kind} and did nothing with it: {self._handler(service, kind.event)}"
        text = f"no reservation of order {self._id} was removed"
        self._walk.stop("effect", text, self._held, Diagnosis(why, f"labkit logs {service}"), **about)
