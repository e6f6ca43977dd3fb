"""What the view shows of an order, if the system has a view, and how far the view has come."""

from collections.abc import Callable
from typing import Any

from labkit.brokers.model import Position
from labkit.system.customers_and_orders import VIEW_KEY
from labkit.trace.components import trouble
from labkit.trace.delivery import parked
from labkit.trace.handler import handler_words
from labkit.trace.model import Copy, Diagnosis, Message, last_line
from labkit.trace.system import CHANGE_TO, Subscriber
from labkit.trace.walk import Walk


def view_source(walk: Walk, customer_id: int | None) -> str:
    """Return where a customer's view is stored."""
    return f"{walk.system.title('view')}, {VIEW_KEY}{customer_id}"


def view_position(walk: Walk, copy: Copy) -> Position | None:
    """Return where the view continues in a record's partition."""
    found = walk.tables.row("SELECT position FROM view_positions WHERE topic = ? AND partition_no = ?", copy.topic, copy.partition)
    return None if found is None else found[0]


def order_view(
    walk: Walk, order_id: int, customer_id: int | None, state: str, total: Any, message_of: Callable[[str], Message | None]
) -> None:
    """Add the hops of the view. `message_of` finds the order's message of a type."""
    keeper = walk.system.view_keeper
    if keeper is None:
        return
    service = keeper.component
    lanes = {"lane": service, "origin": walk.system.broker}
    if reason := walk.tables.unread("view"):
        walk.unread("view", "view", reason, **lanes)
        return
    source = view_source(walk, customer_id)
    row = walk.tables.row("SELECT state, total FROM view_orders WHERE order_id = ? AND customer_id = ?", order_id, customer_id)
    if row and row[0] == state and row[1] == total:
        walk.ok("view", f"{row[0]}, as it should be", source, **lanes)
        return
    text = "does not know the order" if row is None else f"shows {row[0]} {row[1]}, should be {state} {total}"
    kind = walk.system.announcing(CHANGE_TO.get(state, "order stored"))
    message = message_of(kind.event) if kind else None
    if message is None or message.first is None:
        walk.wait("view", f"{text}: {message.event} has not reached {walk.system.broker}" if message else text, **lanes)
        return
    walk.stop("view", f"the view {text}", source, _why_not(walk, keeper, message, message.first), **lanes, event="view")


def _why_not(walk: Walk, keeper: Subscriber, message: Message, first: Copy) -> Diagnosis:
    service, event, logs = keeper.component, message.event, f"labkit logs {keeper.component}"
    if cause := message.parked.get(keeper.name):
        return parked(walk, event, message, service, last_line(cause))
    if known := trouble(walk.tables, service) or trouble(walk.tables, keeper.store):
        return known
    at = view_position(walk, first)
    if not first.is_before(at):
        stands = "has taken nothing" if at is None else f"stands at {walk.tables.position_words(at)}"
        return Diagnosis(f"{service} has not reached {event} yet: of {first.channel}, partition {first.partition} it {stands}.", logs)
    who = handler_words(walk.tables, service, event, message.id).removesuffix("?")
    what = f"{who}, and which fields does it write?" if who.startswith("which") else who
    return Diagnosis(f"{service} took {event} and the view does not show it: {what}", logs)
