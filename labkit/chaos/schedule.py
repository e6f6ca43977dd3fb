"""The schedule of a chaos run as data: which faults occur and when. Drawn from a seed, or read from a file."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from labkit import user_files
from labkit.errors import ExitCode, UserError
from labkit.system.model import Profile

GAP_S = (1.0, 4.0)  # seconds between the starts of two faults
LAST_S = (0.2, 2.5)  # how long a fault lasts
REST_S = 4.0  # between two faults of one component, which must become ready again
SETTLE_S = 1.0  # of load before the first fault and after the last

POINTS = {
    "customers": ("consumer.after_inbox_insert", "consumer.after_commit_before_ack", "customer.reserve.after_outbox_insert"),
    "orders": (
        "consumer.after_inbox_insert",
        "consumer.after_commit_before_ack",
        "order.create.after_outbox_insert",
        "order.create.after_commit_before_publish",
    ),
    "order-history": ("view.before_write", "consumer.after_commit_before_ack"),
    "relay": ("relay.after_publish_before_mark",),
}
KINDS = {"kill": 4, "crash": 5, "pause": 3, "stop": 1, "gate": 2, "delay": 1, "duplicate": 2, "poison": 1, "lock": 1}


@dataclass(frozen=True)
class ChaosEvent:
    """A fault at `at` seconds that lasts `lasts` seconds. `target` is a component; it is empty for lock, duplicate and poison."""

    at: float
    verb: str
    target: str
    lasts: float
    point: str = ""
    hit: int = 1

    def __str__(self) -> str:
        what = f"{self.verb} {self.target}".rstrip()
        return f"{what} at {self.point}, hit {self.hit}" if self.point else what


@dataclass(frozen=True)
class Schedule:
    """A chaos run. `seed` also determines the load."""

    seed: int
    seconds: float
    rate: float
    events: tuple[ChaosEvent, ...]


def candidates(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Return the components that each kind of fault may strike."""
    services = tuple(service.name for service in profile.services)
    subscribers = tuple(subscription.component for subscription in profile.subscriptions)
    return {
        "crash": tuple(name for name in services if name in POINTS),
        "gate": subscribers,
        "delay": subscribers,
        "kill": profile.components,
        "pause": profile.components,
        "stop": services,
    }


def draw(seed: int, seconds: float, rate: float, profile: Profile, victims: Sequence[str] = ()) -> Schedule:
    """Draw a schedule. Equal arguments give equal schedules. Without `victims`, every component may be struck."""
    dice = random.Random(f"chaos {seed}")
    events: list[ChaosEvent] = []
    free_from = dict.fromkeys(profile.components, 0.0)
    victims, may_strike = victims or profile.components, candidates(profile)
    at = SETTLE_S + dice.uniform(0, GAP_S[0])
    while at < seconds - SETTLE_S - LAST_S[1]:
        event = _event(dice, at, [v for v in victims if free_from[v] <= at], may_strike)
        if event is not None:
            events.append(event)
            if event.target:
                free_from[event.target] = at + event.lasts + REST_S
        at += dice.uniform(*GAP_S)
    return Schedule(seed, seconds, rate, tuple(events))


def _event(dice: random.Random, at: float, free: Sequence[str], may_strike: Mapping[str, Sequence[str]]) -> ChaosEvent | None:
    (verb,) = dice.choices(list(KINDS), weights=list(KINDS.values()))
    lasts = round(dice.uniform(*LAST_S), 2)
    at = round(at, 2)
    if verb not in may_strike:
        return ChaosEvent(at, verb, "", lasts)
    possible = [name for name in free if name in may_strike[verb]]
    if not possible:
        return None
    target = dice.choice(possible)
    if verb == "crash":
        return ChaosEvent(at, verb, target, lasts, dice.choice(POINTS[target]), dice.randint(1, 5))
    return ChaosEvent(at, verb, target, lasts)


def only(schedule: Schedule, events: Sequence[ChaosEvent]) -> Schedule:
    """Return a schedule of these events alone. They follow each other without the pauses that the omitted events would leave."""
    at, moved = SETTLE_S, []
    for event in events:
        moved.append(replace(event, at=round(at, 2)))
        at += event.lasts + GAP_S[0]
    return Schedule(schedule.seed, round(at + SETTLE_S, 2), schedule.rate, tuple(moved))


def write(schedule: Schedule, path: Path) -> None:
    path.write_text(json.dumps({"version": 1, **asdict(schedule)}, indent=1))


def read(path: Path, profile: Profile) -> Schedule:
    """Return the schedule in a file, for a system with this profile. Raises UserError."""
    try:
        found = user_files.as_type(user_files.json_of(path), _Kept)
        for number, event in enumerate(found.events):
            _check(event, f"events[{number}]", candidates(profile))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "labkit chaos --seed 1", exit_code=ExitCode.USAGE) from None
    except ValueError as error:
        raise UserError(f"{path} is not a schedule: {error}.", "labkit chaos --seed 1", exit_code=ExitCode.USAGE) from None
    return Schedule(found.seed, found.seconds, found.rate, tuple(ChaosEvent(**msgspec.structs.asdict(event)) for event in found.events))


Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class _KeptEvent(msgspec.Struct, forbid_unknown_fields=True):
    at: Seconds
    verb: str
    target: str
    lasts: Seconds
    point: str = ""
    hit: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    """The file format of `write`."""

    version: Literal[1]
    seed: int
    seconds: Annotated[float, msgspec.Meta(ge=0.1, le=86_400)]
    rate: Annotated[float, msgspec.Meta(ge=0.1, le=500)]
    events: Annotated[list[_KeptEvent], msgspec.Meta(max_length=10_000)]


def _check(event: _KeptEvent, place: str, may_strike: Mapping[str, Sequence[str]]) -> None:
    """Accept only events that `draw` can draw. Raises ValueError."""
    if event.verb not in KINDS:
        raise ValueError(f"{place}.verb: there is no fault {event.verb[:40]!r}")
    if event.target not in may_strike.get(event.verb, ("",)):
        raise ValueError(f"{place}.target: {event.verb} cannot target {event.target[:40]!r}")
    if (event.verb == "crash") != bool(event.point) or (event.point and event.point not in POINTS[event.target]):
        raise ValueError(f"{place}.point: {event.verb} {event.target} has no {event.point[:60]!r}")
