"""Processes of a stack: a pid counts only together with its start time, since pids are given out again."""

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit import paths

LINUX = sys.platform == "linux"
MARKER = "LABKIT_STACK_DIR"  # in the environment of every process of a stack
ASK_AGAIN = 1.0  # seconds
_START = re.compile(r"[0-9a-f-]{36}:\d+")  # on Linux; half of one is of a record that was torn
_LISTEN = "0A"  # a state, as the kernel writes it
PROCESSOR_S = 0.2  # seconds over which the use of a processor is measured
START_TOLERANCE = 2.0  # seconds; where the system cannot tell the start time exactly


@dataclass(frozen=True)
class Process:
    """`start` is as the supervisor wrote it: `<boot id>:<ticks>` on Linux, `<epoch seconds>` elsewhere."""

    pid: int
    start: str

    def alive(self) -> bool:
        """False also for a zombie."""
        if LINUX:
            state, ticks = _stat(self.pid)
            return state not in ("", "Z", "X") and self.start == f"{_boot_id()}:{ticks}"
        return _alive_by_psutil(self)

    def paused(self) -> bool:
        return LINUX and self.alive() and _stat(self.pid)[0] == "T"

    def send(self, number: signal.Signals) -> bool:
        """False when it does not run any more."""
        try:
            if LINUX:
                return self._send_by_handle(number)
            if not self.alive():
                return False
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _send_by_handle(self, number: signal.Signals) -> bool:
        handle = os.pidfd_open(self.pid)
        try:
            if not self.alive():
                return False
            signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
        return True

    def uptime(self) -> float | None:
        """Seconds since its start."""
        if not LINUX:
            return max(0.0, time.time() - float(self.start))
        with contextlib.suppress(OSError, ValueError):
            ticks = int(self.start.partition(":")[2])
            return max(0.0, float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK"))
        return None


def _stat(pid: int) -> tuple[str, str]:
    """State and start ticks; empty when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  (hot: asked for every component, again and again)
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return "", ""
    return fields[0].decode(), fields[19].decode()


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def boot() -> str:
    """What tells this run of the machine from the one before a reboot."""
    if LINUX:
        return _boot_id()
    import psutil

    return f"{psutil.boot_time():.0f}"


def _alive_by_psutil(process: Process) -> bool:
    import psutil

    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - float(process.start)) < START_TOLERANCE
        return bool(same and found.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def identified(pid: int) -> Process:
    """The process that has this pid now."""
    if LINUX:
        return Process(pid, f"{_boot_id()}:{_stat(pid)[1]}")
    import psutil

    return Process(pid, str(psutil.Process(pid).create_time()))


def recorded(directory: Path, name: str) -> Process | None:
    """The process that was last started as component `name`, alive or not. Where its record is lost, it is found by its marker."""
    if (process := _record_of(directory, name)) is not None:
        return process
    return leaders(directory).get(name) if (directory / "processes").is_dir() else None  # without it nothing was ever started


def _record_of(directory: Path, name: str) -> Process | None:
    try:
        pid, _, start = (directory / "processes" / name).read_text(encoding="utf-8").strip().partition(" ")
        return Process(int(pid), start) if not LINUX or _START.fullmatch(start) else None
    except (OSError, ValueError):
        return None


def leaders(directory: Path) -> dict[str, Process]:
    """The stack's processes by component, by their marker: those that lead a session, as the supervisor starts them. What they start has
    their environment too."""
    marker, said = f"{MARKER}={directory}".encode(), b"LABKIT_COMPONENT="
    found: dict[str, Process] = {}
    for pid, environment in environments():
        if marker in environment and _leads_a_session(pid):
            found |= {entry.removeprefix(said).decode(): identified(pid) for entry in environment if entry.startswith(said)}
    return found


def _leads_a_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def running(directory: Path, name: str) -> Process | None:
    process = recorded(directory, name)
    return process if process and process.alive() else None


def record(directory: Path, name: str, process: Process) -> None:
    """Write down that this process is component `name`. Raises OSError."""
    paths.write(directory / "processes" / name, f"{process.pid} {process.start}")


def mend_records(directory: Path, names: Iterable[str]) -> None:
    """Let the records tell what runs, also where one was lost or is of an earlier process: the supervisor goes by them alone. A disk that
    takes no record is no reason to stop."""
    lost = [name for name in names if (process := _record_of(directory, name)) is None or not process.alive()]
    found = leaders(directory) if lost and (directory / "processes").is_dir() else {}
    for name in lost:
        if name in found:
            with contextlib.suppress(OSError):
                record(directory, name, found[name])


def marked(directory: Path, components: Iterable[str] | None = None) -> list[Process]:
    """All processes that carry the stack's marker, wherever they come from; only those of `components` when given."""
    marker = f"{MARKER}={directory}".encode()
    wanted = None if components is None else {f"LABKIT_COMPONENT={name}".encode() for name in components}
    return [
        identified(pid)
        for pid, environment in environments()
        if marker in environment and (wanted is None or wanted & environment) and pid != os.getpid()
    ]


def stack_of(pid: int) -> str | None:
    """The name of the stack that a process belongs to."""
    for other, environment in environments([pid]):
        for entry in environment:
            if other == pid and entry.startswith(f"{MARKER}=".encode()):
                return Path(os.fsdecode(entry.partition(b"=")[2])).name
    return None


def environments(pids: Iterable[int] | None = None) -> Iterable[tuple[int, set[bytes]]]:
    """Of these processes, else of all: what this user may see of it, as `NAME=value`."""
    if LINUX:
        for pid in pids or (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):  # noqa: PTH208
            with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
                yield pid, set(file.read().split(b"\0"))
        return
    import psutil

    for pid in pids or psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            yield pid, {os.fsencode(f"{key}={value}") for key, value in psutil.Process(pid).environ().items()}


def stop(grace: Mapping[Process, float]) -> None:
    """Ask each to end, and kill those that have not after their own grace (seconds). On return none of them runs.

    Asked again every second: MariaDB loses a SIGTERM that comes while it starts."""
    begun = time.monotonic()
    left = list(grace)
    while left:
        waited = time.monotonic() - begun
        for process in left:
            process.send(signal.SIGTERM if waited < grace[process] else signal.SIGKILL)
            process.send(signal.SIGCONT)  # a paused process would not see it
        left = wait_gone(left, ASK_AGAIN)


def wait_gone(processes: Iterable[Process], timeout: float) -> list[Process]:
    """Those that are still alive after `timeout` seconds."""
    watched = list(processes)
    wait_until(lambda: not any(process.alive() for process in watched), timeout)
    return [process for process in watched if process.alive()]


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Asked every few milliseconds; False when it does not hold after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds


def listens(process: Process, port: int) -> bool:
    """Is it this process that listens on the port? True also where the system does not tell."""
    return _listens_by_proc(process, port) if LINUX else _listens_by_psutil(process, port)


def _listens_by_proc(process: Process, port: int) -> bool:
    """The kernel tells of those who listen first. psutil reads all connections of the machine, which takes 30 ms where there are many."""
    try:
        sockets = {target for descriptor in Path(f"/proc/{process.pid}/fd").iterdir() if (target := _target(descriptor))}
        return any(f"socket:[{inode}]" in sockets for inode in _listeners(process.pid, port))
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return True


def _target(descriptor: Path) -> str:
    """What an open file is; empty when it was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def _listeners(pid: int, port: int) -> Iterator[str]:
    """The inodes of the sockets that listen on this port, in the network of this process."""
    for kind in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/net/{kind}") as table:  # noqa: PTH123
            next(table, None)
            for fields in map(str.split, table):
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _listens_by_psutil(process: Process, port: int) -> bool:
    import psutil

    try:
        found = psutil.Process(process.pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OSError):
        return True
    return any(c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port for c in found)


def processor(pid: int) -> float | None:
    """Percent of one processor, over a moment."""
    import psutil

    try:
        return float(psutil.Process(pid).cpu_percent(PROCESSOR_S))
    except psutil.Error:
        return None


def memory(pid: int) -> int | None:
    """Bytes of memory of its own, shared pages shared out (PSS); resident size where the system cannot tell."""
    if LINUX:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123
                for line in file:
                    if line.startswith(b"Pss:"):
                        return int(line.split()[1]) * 1024
        except OSError:
            return None
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
