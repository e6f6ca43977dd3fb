"""Domain events: what an aggregate tells the world, published on the channel that is named after the aggregate's type."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import msgspec

from services.messaging.message import Message, UndecodableMessage

if TYPE_CHECKING:
    from services.messaging.database import Transaction

AGGREGATE_TYPE = "event-aggregate-type"
AGGREGATE_ID = "event-aggregate-id"
EVENT_TYPE = "event-type"

_encode = msgspec.json.Encoder(decimal_format="number").encode


class DomainEvent(msgspec.Struct, frozen=True):
    """An event in the words of the domain. A subclass names its channel and type and turns itself into a payload and back.

    The payload is a msgspec Struct with the field names of the wire; fields that are None are left out of it.
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
        """Raises ValueError when the payload makes no sense."""
        raise NotImplementedError


E = TypeVar("E", bound=DomainEvent)
Handler = Callable[[E, "Transaction"], Awaitable[None]]


def event_headers(event: DomainEvent) -> dict[str, str]:
    return {AGGREGATE_TYPE: event.aggregate_type, AGGREGATE_ID: str(event.aggregate_id), EVENT_TYPE: event.event_type}


def event_payload(event: DomainEvent) -> str:
    return _encode(event.to_payload()).decode()


def decode_event(message: Message, event_class: type[E]) -> E:
    """The event that a message carries. Raises UndecodableMessage with the reason."""
    try:
        payload = msgspec.json.decode(message.payload, type=event_class.payload_type)
        return event_class.from_payload(int(message.headers[AGGREGATE_ID]), payload)
    except (msgspec.DecodeError, UnicodeError, KeyError, ValueError, ArithmeticError) as error:
        raise UndecodableMessage(f"not a {event_class.__name__}: {error or type(error).__name__}") from error


class Reaction(msgspec.Struct, frozen=True):
    """An event class and what is done about it."""

    event_class: type[DomainEvent]
    handler: Callable[..., Any]


class EventHandlers:
    """Who handles what: `@handlers.handles(OrderCreated)` above a function registers it.

    Event types without a handler are skipped: another service's new event must not stop this one.
    """

    def __init__(self) -> None:
        self._reactions: dict[tuple[str, str], Reaction] = {}
        self.prepare: Callable[[Sequence[DomainEvent], Transaction], Awaitable[None]] | None = None

    def handles(self, event_class: type[E]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def register(handler: Callable[..., Any]) -> Callable[..., Any]:
            self._reactions[event_class.aggregate_type, event_class.event_type] = Reaction(event_class, handler)
            return handler

        return register

    def before_batch(
        self, prepare: "Callable[[Sequence[DomainEvent], Transaction], Awaitable[None]]"
    ) -> "Callable[[Sequence[DomainEvent], Transaction], Awaitable[None]]":
        """Called with all events of a batch before their handlers: a chance to lock in one statement what they will lock one by one.

        Only an optimisation; a single event is handled without it.
        """
        self.prepare = prepare
        return prepare

    def reaction_to(self, message: Message) -> Reaction | None:
        """Raises UndecodableMessage for a message that is no event at all."""
        try:
            return self._reactions.get((message.headers[AGGREGATE_TYPE], message.headers[EVENT_TYPE]))
        except KeyError as missing:
            raise UndecodableMessage(f"the message has no header {missing}") from missing

    @property
    def channels(self) -> list[str]:
        return sorted({aggregate_type for aggregate_type, _ in self._reactions})
