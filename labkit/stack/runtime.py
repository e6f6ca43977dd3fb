"""What every way of running a stack can do, and what can be seen of its components."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from labkit.account import Account
from labkit.errors import UserError
from labkit.preparing import Preparing
from labkit.stack.model import Stack

NATIVE, DOCKER = "native", "docker"
NAMES = (DOCKER, NATIVE)
WHAT_RUNS = {DOCKER: "containers", NATIVE: "processes"}

RUNNING, PAUSED, CUT, STOPPED, FAILED = "running", "paused", "cut", "stopped", "failed"
UNKNOWN = "unknown"  # who could tell does not answer
ALIVE = frozenset({RUNNING, PAUSED, CUT})


@dataclass(frozen=True)
class Seen:
    """A component as it is now. `state` is RUNNING, PAUSED, CUT (from the network), STOPPED (asked to end, or never started) or FAILED.

    `pid` as this machine sees it where it does; `health` is what the engine's own health check says."""

    state: str
    pid: int | None = None
    uptime_s: float | None = None
    health: str = ""


@dataclass(frozen=True)
class End:
    """How a component ended last: exit code or signal, epoch seconds."""

    time: float
    exit_code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False

    def __str__(self) -> str:
        """To follow "it ended"."""
        how = "as nobody saw" if self.exit_code is None else f"with exit code {self.exit_code}"
        how = f"by signal {self.signal}" if self.signal else how
        return f"{how}, out of memory" if self.out_of_memory else how

    @property
    def asked_for(self) -> bool:
        """Did it end as one that was asked to? A JVM that is asked to ends with 143."""
        return not self.out_of_memory and self.exit_code in (0, 143, None) and self.signal in (15, None)


class Runtime(Protocol):
    """One stack, run in one way. Changes happen to what really runs, whatever was recorded: a process that was killed is simply not
    running. Components are named as in the profile; those that have ended already are passed over by stop, kill and pause."""

    name: str
    extra: Sequence[str]  # what `status` shows beside the components
    refused: Mapping[str, UserError]  # the verbs that it cannot do, with the reason and what to do instead

    # what is

    def running(self) -> set[str]:
        """The components that run now, ready or not, paused and cut ones too."""

    def runs(self, component: str) -> bool:
        """The same of one; cheap, asked again and again."""

    def holds_ports(self) -> set[str]:
        """The components that do not run, and whose ports are kept for them all the same."""

    def look(self) -> dict[str, Seen]:
        """Every component, and what is extra, as it is now."""

    def memory(self) -> dict[str, int]:
        """Bytes of each that runs: its own, and its share of what it has in common with others."""

    def is_ours(self, component: str, port: int) -> bool:
        """Is it this component that answers on the port? True also where nobody can tell."""

    def last_end(self, component: str, since: float) -> End | None:
        """Its last end after `since` (epoch seconds)."""

    def start_failed(self, component: str, since: float) -> End | None:
        """The same, but of a process that was started since then: the one before it may be seen to end only now."""

    def events(self, since: float) -> list[dict[str, Any]]:
        """`{"time", "event", "component", "pid", "exit_code", "signal"}` in the order of time; epoch seconds. Events are start, end, adopt,
        pause, unpause, oom, and stop: labkit's word that it is about to end a component."""

    def unwatched(self, since: float) -> str | None:
        """Why not all events since then are known: a sentence without its full stop."""

    def halted(self) -> dict[str, str]:
        """The components that run and can do nothing: PAUSED or CUT."""

    def log(self, component: str, count: int | None) -> list[str]:
        """The last `count` lines, or all."""

    def said(self, component: str, count: int, ended: float | None = None) -> list[str] | None:
        """The same of its last process alone, whether that runs or has ended, or of the one that ended then (epoch seconds); None when
        nobody knows where its lines begin."""

    def processor(self, component: str) -> float | None:
        """How much of one processor it uses now, in percent; takes a moment. None where nobody can tell."""

    def follow(self, components: Collection[str]) -> Iterator[tuple[str, str]]:
        """Component and line, as they are written from now on; for ever."""

    # bringing up

    def wake(self) -> set[str]:
        """The components that run, once what was paused goes on and what was cut is joined again."""

    def refuse_unusable(self) -> None:
        """Raises UserError when nothing could be started now."""

    def clear(self) -> None:
        """End what an interrupted command left, when no component is known to run."""

    def prepare(self, alive: Collection[str], view: Preparing) -> dict[str, str]:
        """Get what the components that do not run start from; the servers' versions, for people. Raises UserError."""

    def plan(self, stack: Stack, alive: Collection[str]) -> set[str]:
        """Settle how each component is started. Returns those of `alive` that were started in another way."""

    def first_access(self, stack: Stack) -> Sequence[Account | Path]:
        """How the database takes statements whose accounts have not their passwords yet: the first of these that it takes, each an
        account, or a socket for root."""

    def start(self, names: Collection[str]) -> float:
        """Start these at once and return when that was (epoch seconds); waits for nothing."""

    def check(self) -> None:
        """Raises UserError when what should look after the components has ended."""

    # ending and disturbing

    def stop(self, names: Collection[str]) -> None:
        """Ask these to end, and kill those that do not. On return none of them runs."""

    def stop_to_restart(self, names: Collection[str]) -> None:
        """As stop, for components that are to be started again at once, by `start`: the runtime may have a quicker way."""

    def kill(self, names: Collection[str]) -> None:
        """As `kill -9`. On return none of them runs."""

    def pause(self, names: Collection[str]) -> None:
        """Their processes get no time any more, and keep all they have."""

    def unpause(self, names: Collection[str]) -> None: ...

    def cut(self, names: Collection[str]) -> None:
        """Take them off the network; they run on."""

    def join(self, names: Collection[str]) -> None:
        """Back on the network with the addresses, names and ports of before."""

    def down(self, *, data: bool) -> None:
        """Stop everything, with `data` remove what it stored. On return nothing of the stack runs."""

    def shell(self, component: str, variables: Collection[str]) -> list[str]:
        """The command that opens a shell where the component runs; it hands on these of the caller's variables."""
