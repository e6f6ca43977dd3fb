"""The parts of a story: messages with their copies, hops, and a diagnosis."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from labkit.brokers.model import Position


class HopMark(Enum):
    OK = "✓"
    MISSING = "✗"
    WAITING = "·"
    UNREAD = "?"


@dataclass(frozen=True)
class Copy:
    """One record of a message."""

    topic: str
    channel: str
    partition: int
    position: Position
    position_words: str  # for people: offset 17
    appended: datetime | None
    planted: bool
    key: str | None = None

    @property
    def place(self) -> str:
        return f"{self.channel}, partition {self.partition}, {self.position_words}"

    def is_before(self, position: Position | None) -> bool:
        """Whether whoever continues at this position has taken the record. None: it has taken nothing of the partition."""
        return position is not None and self.position < position


@dataclass(frozen=True)
class Message:
    """One message: where it was written, where the broker has it, and which subscribers have taken it."""

    id: str
    event: str
    channel: str
    schema: str | None  # the schema of its outbox; None when no outbox holds it
    published: bool
    created: datetime | None
    commit: str | None
    commit_no: int | None
    key: str | None
    copies: tuple[Copy, ...]
    taken: dict[str, datetime | None] = field(default_factory=dict)
    taken_commit: dict[str, str] = field(default_factory=dict)
    parked: dict[str, str] = field(default_factory=dict)
    order_id: int | None = None
    customer_id: int | None = None

    @property
    def first(self) -> Copy | None:
        own = [copy for copy in self.copies if not copy.planted] or list(self.copies)
        return own[0] if own else None


@dataclass(frozen=True)
class Hop:
    """One step of the path. It ends in `lane`, a component or the broker. `origin` is the lane where it starts, if that is another one."""

    key: str  # request, row, outbox, relay, broker, consumer, effect, state, saga, view
    mark: HopMark
    text: str
    source: str = ""
    at: datetime | None = None
    coarse: bool = False  # the time is only precise to a second
    lane: str = ""
    origin: str = ""
    event: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """The most likely cause of the first missing hop, and what to do about it."""

    text: str
    next_step: str


@dataclass(frozen=True)
class Story:
    """The hops of one order, customer or message.

    `about` names a customer or order in words; `total`, `state` and `reason` belong to an order.
    """

    title: str
    customer_id: int | None
    about: str
    total: Any
    state: str | None
    reason: str | None
    hops: tuple[Hop, ...]
    diagnosis: Diagnosis | None

    @property
    def first_missing(self) -> Hop | None:
        return next((hop for hop in self.hops if hop.mark in (HopMark.MISSING, HopMark.UNREAD)), None)

    def of(self, *events: str) -> list[Hop]:
        """Return the hops of these messages."""
        return [hop for hop in self.hops if hop.event in events]


def last_line(cause: str) -> str:
    """Return the exception of a parked message without its traceback."""
    lines = [line for line in cause.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "for an unrecorded reason"


def facts_of(hops: Iterable[Hop]) -> Iterator[tuple[str, str]]:
    """Yield (fact, source) for each hop, as `because` shows them. A hop that is still waiting is not a fact."""
    for hop in hops:
        if hop.mark is HopMark.WAITING:
            continue
        text = hop.text
        if hop.key == "outbox" and hop.mark is HopMark.OK:
            text = f"{hop.event} was written"
        if hop.key == "broker" and hop.mark is HopMark.OK:
            text = f"{hop.event} was published"
        yield text, hop.source
