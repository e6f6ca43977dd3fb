"""The story of a message: the outbox, each copy in the broker, and each subscriber."""

from typing import TYPE_CHECKING

from labkit.system import messaging
from labkit.trace.components import trouble
from labkit.trace.delivery import RELAY, outbox, published, received
from labkit.trace.model import Diagnosis, Message, Story
from labkit.trace.system import Subscriber
from labkit.trace.tables import EvidenceTables
from labkit.trace.view_hop import view_position
from labkit.trace.walk import Walk

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def message_story(connection: "DuckDBPyConnection", message_id: str) -> Story:
    tables = EvidenceTables(connection)
    walk = Walk(tables)
    message = tables.message(message_id)
    about, customer_id = "", None
    if message is None:
        _missing(walk, message_id)
    else:
        about = f"order {message.order_id}" if message.order_id is not None else tables.customer(message.customer_id)
        customer_id = message.customer_id
        _outbox(walk, message, about)
        _copies(walk, message)
        if message.copies or message.taken or message.parked:
            for subscriber in walk.system.takers(message.channel):
                walk.stopped = False
                _subscriber(walk, message, subscriber)
    return Story(f"Message {message_id}", customer_id, about, None, None, None, tuple(walk.hops), walk.diagnosis)


def _missing(walk: Walk, message_id: str) -> None:
    for source in ("tables", "records"):
        if reason := walk.tables.unread(source):
            walk.unread("outbox", source, reason, lane=RELAY)
            return
    nothing = Diagnosis(f"No message has the id {message_id}.", "labkit events")
    walk.stop("outbox", "no outbox and no topic holds this id", f"outboxes, {walk.system.broker}", nothing, lane=RELAY)


def _outbox(walk: Walk, message: Message, about: str) -> None:
    if message.schema:
        source = outbox(message.schema) + (f", {message.commit}" if message.commit else "")
        lanes = {"lane": RELAY, "origin": walk.system.component(message.schema) or "", "event": message.event}
        walk.ok("outbox", f"{message.event or 'a message'} of {about}", source, at=message.created, **lanes)
    elif reason := walk.tables.unread("tables"):
        walk.unread("outbox", "tables", reason, lane=RELAY)
    elif all(copy.planted for copy in message.copies):
        walk.ok("outbox", "in no outbox: labkit planted it", "the ledger", lane=RELAY)
    else:
        past = Diagnosis("This message bypassed the outbox.", "labkit verify")
        walk.stop("outbox", "in no outbox", "outboxes", past, lane=RELAY)


def _copies(walk: Walk, message: Message) -> None:
    if not message.copies and message.schema:
        published(walk, message.event or "it", message)
    for copy in message.copies:
        text = f"{copy.place}{', planted by labkit' if copy.planted else ''}"
        walk.ok("broker", text, copy.place, at=copy.appended, lane=walk.system.broker, origin=RELAY)


def _subscriber(walk: Walk, message: Message, subscriber: Subscriber) -> None:
    service = subscriber.component
    if not walk.system.stores_positions(subscriber) or subscriber.name in message.parked:
        received(walk, message.event or "it", message, subscriber)
        return
    lanes = {"lane": service, "origin": walk.system.broker}
    if reason := walk.tables.unread("view"):
        walk.unread("consumer", "view", reason, **lanes)
        return
    assert message.first
    source = f"{walk.system.title('view')}, {messaging.POSITIONS}{subscriber.name}"
    at = view_position(walk, message.first)
    if message.first.is_before(at):
        walk.ok("consumer", f"{service} took it", source, **lanes)
        return
    stands = "has taken nothing of this partition yet" if at is None else f"stands at {walk.tables.position_words(at)}"
    why = trouble(walk.tables, service) or Diagnosis(f"{service} has not reached it yet.", f"labkit logs {service}")
    walk.stop("consumer", f"{service} {stands}", source, why, **lanes)
