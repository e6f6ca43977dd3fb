"""A stack with empty stores, whose services run from a given folder. Every lab start and every reset ends with one."""

import time
from dataclasses import dataclass
from pathlib import Path

from labkit import interrupts
from labkit.faults import notes
from labkit.stack import lifecycle, provision, runtimes, state
from labkit.stack.component_table import ComponentTable, LiveTable, Quiet
from labkit.system import find as profiles
from labkit.system.model import Profile
from labkit.terminal import say


@dataclass(frozen=True)
class Emptied:
    """The result: whether there was data to empty, and how long it took in seconds."""

    emptied: bool
    seconds: float


def empty_stack(name: str, source: Path | None, command: str, *, profile: Profile | None = None, cold: bool = False) -> Emptied:
    """Empty every store of the stack (with `cold`, remove its data), bring it up if it is down, and wait until everything is ready.
    `source` is the folder that the services run from and `profile` is the stack's profile; None leaves either unchanged. If
    interrupted, the next `up` finishes the work. Raises UserError."""
    begun = time.monotonic()
    with state.exclusive(name, command.removeprefix("labkit ")) as directory:
        interrupts.on_termination()
        old = state.find(name)
        choice = runtimes.choose(None, old)
        wanted = profile or (old.profile if old else profiles.default())
        runtime = runtimes.of(choice.runtime, directory, old.profile if old else wanted)
        runs = bool(runtime.running())
        if old is not None:
            runtime.refuse_unusable()  # refuse now: the next `up` must not finish a reset that cannot begin
            provision.statements(source or old.source, wanted)
            notes.heal_all_first(old, command) if runs and not cold else notes.forget(old, command)
            lifecycle.intend_reset(directory, lifecycle.RESET_ALL if cold else lifecycle.RESET)
        if runs and old is not None and old.profile != wanted:
            lifecycle.take_down(directory, old, data=False)  # other components; the servers' data is emptied below
            runs = False
        if not runs:
            say.line(f"{choice.why}\n")
        view = Quiet() if runs and not cold else LiveTable() if say.on_terminal() else ComponentTable()
        with view:
            lifecycle.bring_up(directory, name, source or (old.source if old else None), view, runtime=choice.runtime, profile=wanted)
        if not runs:
            say.line()
    return Emptied(old is not None, time.monotonic() - begun)
