"""The control directory: how a workshop's faults reach this process. Written down in docs/control-directory.md.

`armed/armed.json` is written by others and only read here; `hits/<component>/` is written here. A watcher loads the one every 20 ms and
acknowledges the generation that it has loaded in the other. Without `LABKIT_CONTROL` in the environment there is no control at all.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from services.log import log
from services.workshop.armed import armed
from services.workshop.fault import Fault

VERSION = 1
WATCH_S = 0.02
LOOK_AGAIN = 25  # every so many looks, read the file whatever its directory entry says: some mounts tell late or wrongly
CATCH_UP_S = 10.0  # how long a restarted process waits to see at least what it had acknowledged before


class _ArmedFile(msgspec.Struct):
    version: int
    generation: int
    faults: list[Fault]


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
