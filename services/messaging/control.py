"""The control directory: how a workshop's faults reach this process. Written down in docs/control-directory.md.

`armed/armed.json` is written by others and only read here; `hits/<component>/` is written here. A watcher loads the one every 20 ms and
acknowledges the generation that it has loaded in the other. Without `LABKIT_CONTROL` in the environment there is no control at all.

What is armed belongs to the process, whichever of its parts asks: that is why it is a module's state, `armed`, and no parameter.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from services.messaging.hits import Hits, identity_of
from services.messaging.log import log

VERSION = 1
WATCH_S = 0.02
LOOK_AGAIN = 25  # every so many looks, read the file whatever its directory entry says: some mounts tell late or wrongly
CATCH_UP_S = 10.0  # how long a restarted process waits to see at least what it had acknowledged before
ONE_BY_ONE = frozenset({"gate", "watch", "crash", "barrier"})


class Fault(msgspec.Struct, frozen=True):
    """One entry of the armed file. `kind` says which of the others count; None matches everything."""

    id: str
    kind: str  # gate, watch, crash, barrier, delay or switch
    target: str  # the component
    until: float | None = None  # epoch seconds from which it is as if it were not there
    point: str | None = None  # crash, barrier: the failpoint
    hit: int = 1  # crash: at which first attempt
    parties: int = 2  # barrier: how many must meet
    timeout_s: float = 2.0  # barrier
    delay_s: float = 0.0  # delay
    route: str | None = None  # delay: `POST /orders`; without one it delays a subscriber
    name: str | None = None  # switch
    value: str | None = None  # switch
    subscriber: str | None = None
    channel: str | None = None
    partition: int | None = None
    message_id: str | None = None
    event_type: str | None = None  # whole, or its last part with or without `Event`
    key: str | None = None
    release_after: str | None = None  # gate: opens by itself when the subscriber has taken the message with this id

    def matches(self, about: "About") -> bool:
        return (
            (self.partition is None or self.partition == about.partition)
            and (self.message_id is None or self.message_id == about.message_id)
            and (self.key is None or self.key == about.key)
            and (self.channel is None or self.channel == about.channel)
            and (self.subscriber is None or self.subscriber == about.subscriber)
            and (self.event_type is None or self.event_type in _names(about.event_type))
        )


class About(msgspec.Struct, frozen=True):
    """What passes by: a message on its way, or a unit of work of a request."""

    message_id: str | None = None
    event_type: str = ""
    key: str | None = None
    subscriber: str | None = None
    channel: str | None = None
    partition: int | None = None
    position: int | None = None

    @property
    def identity(self) -> str | None:
        """What stays the same when it comes again; None when there is no telling."""
        return identity_of(self.message_id, self.channel, self.partition, self.position)


def _names(event_type: str) -> tuple[str, str, str]:
    """`…orders.domain.events.OrderCreatedEvent`, `OrderCreatedEvent`, `OrderCreated`"""
    last = event_type.rpartition(".")[2]
    return event_type, last, last.removesuffix("Event")


class _ArmedFile(msgspec.Struct):
    version: int
    generation: int
    faults: list[Fault]


class Armed:
    """What is armed in this process now. Looking something up costs a dictionary access."""

    def __init__(self) -> None:
        self.enabled = False
        self.points: Mapping[str, list[Fault]] = {}
        self.holding: list[Fault] = []  # gates, watches and delays of subscribers
        self.routes: Mapping[str, Fault] = {}
        self.switches: Mapping[str, str] = {}
        self.one_by_one = False
        """Batching is off: a fault waits for a message, which must then come alone."""
        self.known_points: set[str] = set()
        self.known_routes: set[str] = set()
        self._ids: frozenset[str] = frozenset()
        self.hits = Hits()

    def has(self, fault: Fault) -> bool:
        """Is it still armed?"""
        return fault.id in self._ids

    def declare(self, *points: str) -> None:
        """Name failpoints that this process passes; told with each acknowledgement, so that nobody arms one that does not exist."""
        self.known_points.update(points)

    def take(self, faults: list[Fault]) -> None:
        """From now on these are armed, and nothing else. A crash or barrier that has happened is spent."""
        points: dict[str, list[Fault]] = {}
        for fault in faults:
            if fault.point is not None and not self.hits.is_spent(fault.id):
                points.setdefault(fault.point, []).append(fault)
        self.points = points
        self.holding = [f for f in faults if f.kind in ("gate", "watch") or (f.kind == "delay" and f.route is None)]
        self.routes = {f.route: f for f in faults if f.kind == "delay" and f.route is not None}
        self.switches = {f.name: f.value or "" for f in faults if f.kind == "switch" and f.name is not None}
        batch_is_one = self.switches.get("batch") == "1"
        self.one_by_one = batch_is_one or bool(points) or bool(self.holding)
        self._ids = frozenset(f.id for f in faults)

    def spend(self, fault: Fault) -> None:
        """It has happened, and does not happen again."""
        self.points = {point: left for point, faults in self.points.items() if (left := [f for f in faults if f.id != fault.id])}


armed = Armed()


def switch(name: str, default: str) -> str:
    """A setting of the system under study that can be changed while it runs."""
    return armed.switches.get(name, default)


def batch_size(usual: int) -> int:
    """How much may be taken together: one while a fault is armed that waits for it, or what the switch `batch` says."""
    if armed.one_by_one:
        return 1
    wanted = armed.switches.get("batch", "")
    return max(1, int(wanted)) if wanted.isdigit() else usual


class Control:
    """Reads what is armed for `component` and acknowledges it."""

    def __init__(self, directory: Path, component: str, instance: str = "0") -> None:
        self._file = directory / "armed" / "armed.json"
        self._own = _hits_of(directory, component, instance)
        self._component = component
        self._entry: tuple[int, int, int] | None = None
        self._text = b""
        self._generation = -1
        self._faults: list[Fault] = []
        self._next_end = float("inf")
        self._looks = 0
        self._problem = ""

    def begin(self) -> None:
        """Before anything else happens in this process: know what happened in earlier ones, and what is armed."""
        self._own.mkdir(parents=True, exist_ok=True)
        armed.enabled = True
        armed.hits.open(self._own / "hits.jsonl")
        before = self._acknowledged_before()
        deadline = time.monotonic() + CATCH_UP_S
        self.look(always=True)
        while self._generation < before and time.monotonic() < deadline:
            time.sleep(WATCH_S)  # nothing else runs yet
            self.look(always=True)
        self.acknowledge()

    def _acknowledged_before(self) -> int:
        try:
            return int(msgspec.json.decode((self._own / "ack.json").read_bytes())["generation"])
        except (OSError, ValueError, KeyError, TypeError, msgspec.DecodeError):
            return -1

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            self._looks += 1
            try:
                if self.look(always=self._looks % LOOK_AGAIN == 0):
                    self.acknowledge()
            except OSError as error:
                if str(error) != self._problem:
                    self._problem = str(error)
                    log("control directory", error=str(error))

    def look(self, *, always: bool = False) -> bool:
        """Load the armed file when it may have changed. True when something new is to be acknowledged."""
        news = False
        try:
            found = os.stat(self._file)  # noqa: PTH116  (50 times a second)
            entry = found.st_mtime_ns, found.st_size, found.st_ino
            if entry != self._entry or always:
                news = self._load(self._file.read_bytes())
                self._entry = entry
        except FileNotFoundError:
            self._entry = None
        if news or time.time() >= self._next_end:
            self._take()
        return news

    def _load(self, text: bytes) -> bool:
        if text == self._text:
            return False
        try:
            file = msgspec.json.decode(text, type=_ArmedFile)
        except msgspec.DecodeError as error:
            log("armed file", error=str(error))  # not acknowledged: whoever arms learns that this process does not understand
            return False
        if file.version != VERSION or file.generation < self._generation:
            return False
        self._text, self._generation = text, file.generation
        self._faults = [fault for fault in file.faults if fault.target == self._component]
        return True

    def _take(self) -> None:
        now = time.time()
        live = [fault for fault in self._faults if fault.until is None or fault.until > now]
        self._next_end = min((fault.until for fault in live if fault.until is not None), default=float("inf"))
        armed.take(live)

    def acknowledge(self) -> None:
        """Say which generation is loaded, and what there is in this process that can be armed."""
        text = msgspec.json.encode(
            {
                "version": VERSION,
                "generation": self._generation,
                "pid": os.getpid(),
                "time": round(time.time(), 6),
                "points": sorted(armed.known_points),
                "routes": sorted(armed.known_routes),
            }
        )
        aside = self._own / f".ack.{os.getpid()}"
        aside.write_bytes(text)
        aside.replace(self._own / "ack.json")


def control_from_environment(environment: Mapping[str, str] = os.environ) -> Control | None:
    directory = environment.get("LABKIT_CONTROL")
    return Control(Path(directory), *_own_name(environment)) if directory else None


def _own_name(environment: Mapping[str, str]) -> tuple[str, str]:
    return environment.get("LABKIT_COMPONENT", "service"), environment.get("LABKIT_INSTANCE") or "0"


def own_directory(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where this process writes, if it is under control; it is there once `Control.begin` was called."""
    directory = environment.get("LABKIT_CONTROL")
    return _hits_of(Path(directory), *_own_name(environment)) if directory else None


def _hits_of(directory: Path, component: str, instance: str) -> Path:
    return directory / "hits" / (component if instance == "0" else f"{component}.{instance}")


def under_control_at_all() -> bool:
    return bool(os.environ.get("LABKIT_CONTROL"))


@asynccontextmanager
async def under_control() -> AsyncIterator[None]:
    """While the block runs, this process does what is armed for it."""
    control = control_from_environment()
    if control is None:
        yield
        return
    control.begin()
    watching = asyncio.create_task(control.watch())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
