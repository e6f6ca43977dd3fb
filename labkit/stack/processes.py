"""Processes of a stack, identified by pid and start time, because the system reuses pids."""

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
_START = re.compile(r"[0-9a-f-]{36}:\d+")  # the format on Linux; a partial match is a torn record
_LISTEN = "0A"  # the LISTEN state in /proc/net/tcp
PROCESSOR_S = 0.2  # measuring interval for processor use, in seconds
START_TOLERANCE = 2.0  # seconds; applies where the system gives no exact start time


@dataclass(frozen=True)
class Process:
    """`start` is the supervisor's notation: `<boot id>:<ticks>` on Linux, `<epoch seconds>` elsewhere."""

    pid: int
    start: str

    def alive(self) -> bool:
        """Whether the process runs. False for a zombie."""
        if LINUX:
            state, ticks = _stat(self.pid)
            return state not in ("", "Z", "X") and self.start == f"{_boot_id()}:{ticks}"
        return _alive_by_psutil(self)

    def paused(self) -> bool:
        return LINUX and self.alive() and _stat(self.pid)[0] == "T"

    def send(self, number: signal.Signals) -> bool:
        """Send a signal. Returns False when the process no longer runs."""
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
        """Return the seconds since the process started."""
        if not LINUX:
            return max(0.0, time.time() - float(self.start))
        with contextlib.suppress(OSError, ValueError):
            ticks = int(self.start.partition(":")[2])
            return max(0.0, float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK"))
        return None


def _stat(pid: int) -> tuple[str, str]:
    """Return state and start time (ticks), both empty when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  (hot: asked for every component, again and again)
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return "", ""
    return fields[0].decode(), fields[19].decode()


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def boot() -> str:
    """Return an identifier of the machine's current boot."""
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
    """Return the process that has this pid now."""
    if LINUX:
        return Process(pid, f"{_boot_id()}:{_stat(pid)[1]}")
    import psutil

    return Process(pid, str(psutil.Process(pid).create_time()))


def recorded(directory: Path, name: str) -> Process | None:
    """Return the last process of the component, alive or not. If its record is lost, look for the marker."""
    if (process := _record_of(directory, name)) is not None:
        return process
    return leaders(directory).get(name) if (directory / "processes").is_dir() else None  # without this folder, nothing was ever started


def _record_of(directory: Path, name: str) -> Process | None:
    try:
        pid, _, start = (directory / "processes" / name).read_text(encoding="utf-8").strip().partition(" ")
        return Process(int(pid), start) if not LINUX or _START.fullmatch(start) else None
    except (OSError, ValueError):
        return None


def leaders(directory: Path) -> dict[str, Process]:
    """Return the stack's processes by component. Finds them by the marker in their environment.

    Only session leaders count, because the supervisor starts each component as one. Their child processes inherit the environment.
    """
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
    """Record this process as that of the component. Raises OSError."""
    paths.write(directory / "processes" / name, f"{process.pid} {process.start}")


def correct_records(directory: Path, names: Iterable[str]) -> None:
    """Correct the records from what runs, where a record is lost or names an earlier process: the supervisor relies on them. A full disk is
    tolerated.
    """
    lost = [name for name in names if (process := _record_of(directory, name)) is None or not process.alive()]
    found = leaders(directory) if lost and (directory / "processes").is_dir() else {}
    for name in lost:
        if name in found:
            with contextlib.suppress(OSError):
                record(directory, name, found[name])


def marked(directory: Path, components: Iterable[str] | None = None) -> list[Process]:
    """Return all processes with the stack's marker, however they were started. With `components`, only the processes of those."""
    marker = f"{MARKER}={directory}".encode()
    wanted = None if components is None else {f"LABKIT_COMPONENT={name}".encode() for name in components}
    return [
        identified(pid)
        for pid, environment in environments()
        if marker in environment and (wanted is None or wanted & environment) and pid != os.getpid()
    ]


def stack_of(pid: int) -> str | None:
    """Return the name of the stack that a process belongs to."""
    for other, environment in environments([pid]):
        for entry in environment:
            if other == pid and entry.startswith(f"{MARKER}=".encode()):
                return Path(os.fsdecode(entry.partition(b"=")[2])).name
    return None


def environments(pids: Iterable[int] | None = None) -> Iterable[tuple[int, set[bytes]]]:
    """Yield the pid and environment (`NAME=value` entries) of these processes, or of all, as far as this user may read it."""
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
    """Ask each process to end, and kill it after its grace period (seconds). On return none of them runs.

    Repeats the request every second: MariaDB loses a SIGTERM that arrives while it starts.
    """
    begun = time.monotonic()
    left = list(grace)
    while left:
        waited = time.monotonic() - begun
        for process in left:
            process.send(signal.SIGTERM if waited < grace[process] else signal.SIGKILL)
            process.send(signal.SIGCONT)  # a paused process would not receive the SIGTERM
        left = wait_gone(left, ASK_AGAIN)


def wait_gone(processes: Iterable[Process], timeout: float) -> list[Process]:
    """Return the processes that are still alive after `timeout` seconds."""
    watched = list(processes)
    wait_until(lambda: not any(process.alive() for process in watched), timeout)
    return [process for process in watched if process.alive()]


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Poll the condition every few milliseconds. Returns False when it is still false after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds


def listens(process: Process, port: int) -> bool:
    """Whether this process listens on the port. Also True where the system does not say."""
    return _listens_by_proc(process, port) if LINUX else _listens_by_psutil(process, port)


def _listens_by_proc(process: Process, port: int) -> bool:
    """Read /proc: it lists listeners first. psutil reads all connections of the machine, which takes 30 ms if there are many."""
    try:
        sockets = {target for descriptor in Path(f"/proc/{process.pid}/fd").iterdir() if (target := _target(descriptor))}
        return any(f"socket:[{inode}]" in sockets for inode in _listeners(process.pid, port))
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return True


def _target(descriptor: Path) -> str:
    """Return the target of an open file descriptor, or "" when it was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def _listeners(pid: int, port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen on this port, in the process's network namespace."""
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


def processor_percent(pid: int) -> float | None:
    """Return the use of one processor in percent, measured over PROCESSOR_S."""
    import psutil

    try:
        return float(psutil.Process(pid).cpu_percent(PROCESSOR_S))
    except psutil.Error:
        return None


def memory(pid: int) -> int | None:
    """Return the PSS in bytes (private memory plus a share of shared pages), or the resident size where PSS is unavailable."""
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
