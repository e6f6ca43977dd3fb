"""Domain events: changes of an aggregate, published on the channel named after the aggregate's type."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import msgspec

from services.messaging.aggregate_id import read_id
from services.messaging.message import Message, UndecodableMessage
from services.messaging.nesting import MAX_DEPTH, is_too_deep

if TYPE_CHECKING:
    from services.messaging.database import Transaction

AGGREGATE_TYPE = "event-aggregate-type"
AGGREGATE_ID = "event-aggregate-id"
EVENT_TYPE = "event-type"

_encode = msgspec.json.Encoder(decimal_format="number").encode


class DomainEvent(msgspec.Struct, frozen=True):
    """An event in the terms of the domain. A subclass names its channel and type and converts itself to a payload and back.

    The payload is a msgspec Struct whose field names are those on the wire. Fields that are None are omitted.
    """

    aggregate_type: ClassVar[str]
    event_type: ClassVar[str]
    payload_type: ClassVar[type[msgspec.Struct]]

    @property
    def aggregate_id(self) -> int:
        raise NotImplementedError

    def to_payload(self) -> msgspec.Struct:
        raise NotImplementedError

    @classmethod
    def from_payload(cls, aggregate_id: int, payload: Any) -> Self:
        """Build the event from its payload. Raises ValueError for invalid values."""
        raise NotImplementedError


E = TypeVar("E", bound=DomainEvent)
Prepare = Callable[[Sequence[DomainEvent], "Transaction"], Awaitable[None]]


def event_headers(event: DomainEvent) -> dict[str, str]:
    return {AGGREGATE_TYPE: event.aggregate_type, AGGREGATE_ID: str(event.aggregate_id), EVENT_TYPE: event.event_type}


def event_payload(event: DomainEvent) -> str:
    return _encode(event.to_payload()).decode()


def decode_event(message: Message, event_class: type[E]) -> E:
    """The event that a message carries. Raises UndecodableMessage and names the missing or wrong field."""
    name = f"the event {event_class.__name__}"
    if (aggregate_id := message.headers.get(AGGREGATE_ID)) is None:
        raise UndecodableMessage(f"{name} lacks the header {AGGREGATE_ID}")
    if is_too_deep(message.payload):
        raise UndecodableMessage(f"{name} is wrong: its payload is nested more than {MAX_DEPTH} deep")
    try:
        number = read_id(aggregate_id)
    except ValueError as error:
        raise UndecodableMessage(f"{name} is wrong: its header {AGGREGATE_ID} {error}") from error
    try:
        payload = msgspec.json.decode(message.payload, type=event_class.payload_type)
        return event_class.from_payload(number, payload)
    except (msgspec.DecodeError, ValueError, ArithmeticError) as error:
        raise UndecodableMessage(f"{name} {_what_is_wrong(error)}") from error


_LACKING = re.compile(r"Object missing required field `(?P<field>[^`]*)`(?: - at `\$\.?(?P<path>[^`]*)`)?")
_AT = re.compile(r"(?P<what>.*) - at `\$\.?(?P<path>[^`]*)`", re.DOTALL)


def _what_is_wrong(error: Exception) -> str:
    """Completes a sentence that begins with the event. Fields have their payload names."""
    text = str(error) or type(error).__name__
    if lacking := _LACKING.fullmatch(text):
        return f"lacks the field {'.'.join(filter(None, (lacking['path'], lacking['field'])))}"
    if at := _AT.fullmatch(text):
        return f"is wrong: {at['path'] or 'its payload'}: {at['what']}"
    return f"is wrong: {text}"


class Reaction(msgspec.Struct, frozen=True):
    """An event class and its handler."""

    event_class: type[DomainEvent]
    handler: Callable[..., Any]


class EventHandlers:
    """The handlers of a subscriber: `@handlers.handles(OrderCreated)` above a function registers it.

    Event types without a handler are skipped, so a new event of another service does not stop this one.
    """

    def __init__(self) -> None:
        self._reactions: dict[tuple[str, str], Reaction] = {}
        self.prepare: Prepare | None = None

    def handles(self, event_class: type[E]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def register(handler: Callable[..., Any]) -> Callable[..., Any]:
            self._reactions[event_class.aggregate_type, event_class.event_type] = Reaction(event_class, handler)
            return handler

        return register

    def before_batch(self, prepare: Prepare) -> Prepare:
        """Register a function that is called with all events of a batch before their handlers. It can lock in one statement what the
        handlers would lock one by one.

        This is only an optimisation; a single event is handled without it.
        """
        self.prepare = prepare
        return prepare

    def reaction_to(self, message: Message) -> Reaction | None:
        """Returns the reaction to a message, or None. Raises UndecodableMessage for a message that is not an event."""
        try:
            return self._reactions.get((message.headers[AGGREGATE_TYPE], message.headers[EVENT_TYPE]))
        except KeyError as missing:
            raise UndecodableMessage(f"the message lacks the header {missing.args[0]}") from missing

    @property
    def channels(self) -> list[str]:
        return sorted({aggregate_type for aggregate_type, _ in self._reactions})
