"""The interface of a runtime, and the data that describes a component's state."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from labkit.account import Account
from labkit.errors import UserError
from labkit.preparation_report import Preparing
from labkit.stack.model import Stack

NATIVE, DOCKER = "native", "docker"
NAMES = (DOCKER, NATIVE)
WHAT_RUNS = {DOCKER: "containers", NATIVE: "processes"}

RUNNING, PAUSED, CUT, STOPPED, FAILED = "running", "paused", "cut", "stopped", "failed"
UNKNOWN = "unknown"  # the source of this information does not answer
ALIVE = frozenset({RUNNING, PAUSED, CUT})


@dataclass(frozen=True)
class ComponentStatus:
    """What a component does now. `state` is RUNNING, PAUSED, CUT (off the network), STOPPED (ended on request, or never started) or FAILED.

    `pid` is the pid on this machine, if it is visible there. `health` is the result of the engine's own health check.
    """

    state: str
    pid: int | None = None
    uptime_s: float | None = None
    health: str = ""


@dataclass(frozen=True)
class End:
    """How a component last ended: exit code or signal. The time is in epoch seconds."""

    time: float
    exit_code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False

    def __str__(self) -> str:
        """Format the end to follow the words "it ended"."""
        how = "in an unknown way" if self.exit_code is None else f"with exit code {self.exit_code}"
        how = f"by signal {self.signal}" if self.signal else how
        return f"{how}, out of memory" if self.out_of_memory else how

    @property
    def asked_for(self) -> bool:
        """Whether the component ended on request. A JVM exits with 143 on SIGTERM."""
        return not self.out_of_memory and self.exit_code in (0, 143, None) and self.signal in (15, None)


class Runtime(Protocol):
    """One stack, run in one way. The methods act on what really runs, not on what was recorded: a killed process simply does not run.

    Components have their names from the profile. stop, kill and pause skip components that have already ended.
    """

    name: str
    extra: Sequence[str]  # what `status` shows besides the components
    unsupported: Mapping[str, UserError]  # the verbs that it does not support, with the reason and an alternative

    # inspecting

    def running(self) -> set[str]:
        """Return the running components, ready or not, including paused and cut ones."""

    def runs(self, component: str) -> bool:
        """Whether one component runs. Cheap, because it is called often."""

    def stopped_holding_ports(self) -> set[str]:
        """Return the components that do not run but still occupy their ports."""

    def status(self) -> dict[str, ComponentStatus]:
        """Return the current status of every component and of `extra`."""

    def memory(self) -> dict[str, int]:
        """Return the memory of each running component in bytes: private memory and a share of shared memory."""

    def owns_port(self, component: str, port: int) -> bool:
        """Whether this component answers on the port. Also True when that is unknown."""

    def last_end(self, component: str, since: float) -> End | None:
        """Return the component's last end after `since` (epoch seconds)."""

    def start_failed(self, component: str, since: float) -> End | None:
        """Return the end of a process that was started after `since`. Unlike last_end, ignores a late report of an earlier process."""

    def events(self, since: float) -> list[dict[str, Any]]:
        """Return `{"time", "event", "component", "pid", "exit_code", "signal"}` in order of time (epoch seconds).

        Events are start, end, adopt, pause, unpause, oom, and stop. labkit writes stop when it is about to end a component.
        """

    def why_events_missing(self, since: float) -> str | None:
        """Return why some events since then are missing, as a sentence without a full stop, or None."""

    def halted(self) -> dict[str, str]:
        """Return the running components that cannot work: PAUSED or CUT."""

    def log(self, component: str, count: int | None) -> list[str]:
        """Return the last `count` log lines, or all."""

    def process_log(self, component: str, count: int, ended: float | None = None) -> list[str] | None:
        """Return the last `count` lines of one process: the component's last process, or the one that ended at `ended` (epoch seconds).

        Returns None when it is unknown where the process's lines begin.
        """

    def processor_percent(self, component: str) -> float | None:
        """Return the use of one processor in percent, or None when it is unknown. Measures for a moment."""

    def follow(self, components: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield component and line for everything written from now on, forever."""

    # bringing up

    def resume_halted(self) -> set[str]:
        """Continue paused components and rejoin cut ones. Returns the running components."""

    def refuse_unusable(self) -> None:
        """Raises UserError when nothing could be started now."""

    def end_leftovers(self) -> None:
        """End what an interrupted command left. Called when no known component runs."""

    def prepare(self, alive: Collection[str], view: Preparing) -> dict[str, str]:
        """Get what the stopped components need to start. Returns the servers' versions, for people. Raises UserError."""

    def plan(self, stack: Stack, alive: Collection[str]) -> set[str]:
        """Plan how each component is started. Returns the components of `alive` that were started differently."""

    def first_access(self, stack: Stack) -> Sequence[Account | Path]:
        """Return the ways to log in to the database before its accounts have their passwords. The first one that works is used.

        Each is an account, or a socket for root.
        """

    def start(self, names: Collection[str]) -> float:
        """Start these components in parallel. Returns the start time (epoch seconds) without waiting for them."""

    def check_supervisor(self) -> None:
        """Raises UserError when the process that supervises the components has ended."""

    # ending and disturbing

    def stop(self, names: Collection[str]) -> None:
        """Ask these components to end, and kill those that do not. On return none of them runs."""

    def stop_to_restart(self, names: Collection[str]) -> None:
        """As stop, for components that `start` is about to start again. A runtime may have a quicker way."""

    def kill(self, names: Collection[str]) -> None:
        """As `kill -9`. On return none of them runs."""

    def pause(self, names: Collection[str]) -> None:
        """Freeze their processes, which keep all their resources."""

    def unpause(self, names: Collection[str]) -> None: ...

    def cut(self, names: Collection[str]) -> None:
        """Disconnect them from the network. They keep running."""

    def join(self, names: Collection[str]) -> None:
        """Reconnect them to the network, with the same addresses, names and ports."""

    def down(self, *, data: bool) -> None:
        """Stop everything. With `data`, also remove the stored data. On return nothing of the stack runs."""

    def shell(self, component: str, variables: Collection[str]) -> list[str]:
        """Return the command that opens a shell where the component runs. It passes these variables of the caller on."""
