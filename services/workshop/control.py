"""The control directory: the channel through which a workshop's faults reach this process. See docs/control-directory.md.

Other processes write `armed/armed.json`; this process only reads it, and writes to `hits/<component>/`. A watcher loads the armed file
every 50 ms and acknowledges the loaded generation under `hits`. Without `LABKIT_CONTROL` in the environment there is no control.
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
WATCH_S = 0.05  # a shorter wait costs each idle service more processor time than all else that it does
LOOK_AGAIN = 10  # every so many looks, read the file regardless of its directory entry: some mounts update it late or wrongly
CATCH_UP_S = 10.0  # how long a restarted process waits for the generation it acknowledged before


class _ArmedFile(msgspec.Struct):
    version: int
    generation: int
    faults: list[Fault]


class Control:
    """Reads the faults armed for `component` and acknowledges them."""

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
        """Load the hits of earlier processes and the armed faults. Runs before anything else in this process."""
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
        """Load the armed file when it may have changed. Returns whether there is a new generation to acknowledge."""
        news = False
        try:
            found = os.stat(self._file)  # noqa: PTH116  (20 times a second)
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
            log("armed file", error=str(error))  # without an acknowledgement, labkit knows that this process cannot read the file
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
        """Report the loaded generation, and the failpoints and routes of this process that can be armed."""
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
    """The directory that this process writes to, if it is under control. It exists after `Control.begin`."""
    directory = environment.get("LABKIT_CONTROL")
    return _hits_of(Path(directory), *_own_name(environment)) if directory else None


def _hits_of(directory: Path, component: str, instance: str) -> Path:
    return directory / "hits" / (component if instance == "0" else f"{component}.{instance}")


def under_control_at_all() -> bool:
    return bool(os.environ.get("LABKIT_CONTROL"))


@asynccontextmanager
async def under_control() -> AsyncIterator[None]:
    """Within the block, the faults armed for this process take effect."""
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
