"""labkit up: bring the stack up, or repair the missing parts."""

import time
from pathlib import Path

from labkit import interrupts, paths
from labkit.errors import ExitCode, UserError
from labkit.faults import notes
from labkit.stack import accounts, lifecycle, products, runtimes, sources, stack_names, state
from labkit.stack.component_table import ComponentTable, LiveTable
from labkit.stack.model import Stack
from labkit.stack.readiness import NotReady
from labkit.stack.runtime import WHAT_RUNS
from labkit.system.model import Profile
from labkit.terminal import say
from labkit.workspace import lab_status, learner_folder, next_step, progress, recovery
from labkit.workspace.learner_folder import Workspace


def up(stack_name: str, *, runtime: str | None, profile: str | None, services: Path | None, open_wanted: bool) -> ExitCode:
    """Start all components in parallel and return when all are ready. A stack stays open only if every `up` sets `open_wanted`."""
    state.refuse_foreign_platform()
    runtimes.refuse_unknown(runtime)
    begun = time.monotonic()
    with state.exclusive(stack_name, "up") as directory:
        interrupts.on_termination()
        old = state.find(stack_name)
        choice = runtimes.choose(runtime, old)
        wanted = _profile(profile, old)
        here = learner_folder.find() if services is None else None
        services = services or (here.folder if here else None)
        if not runtimes.of(choice.runtime, directory, wanted).running():
            say.line(f"{choice.why}\n")
        was_open = accounts.is_open(directory)
        brought = _bring_up(directory, stack_name, services, choice.runtime, wanted, open_wanted)
        notes.after_repair(brought.stack)
        if was_open and not open_wanted:
            reopen = _command("up --open", stack_name)
            asking = accounts.described_servers(wanted)
            say.line(f"The stack is closed again: {asking} ask for its passwords. To leave it open: {reopen}")
        _conclude(brought, time.monotonic() - begun, here)
    return ExitCode.OK


def _profile(wanted: str | None, old: Stack | None) -> Profile:
    """Return the requested profile, or else the stack's own. Raises UserError if the stack has a different profile, since it holds its
    data."""
    if old is None or wanted in (None, old.profile.name):
        return old.profile if old else state.profile_of(wanted)
    asked, named = state.profile_of(wanted), stack_names.named(old.name)
    raise UserError(
        f"The stack {old.name!r} has the profile {old.profile.name}, and its stores are set up for it.",
        f"labkit down --data{named}, then labkit up --profile {asked.name}{named}; or another stack beside it: --name other",
    )


def _bring_up(
    directory: Path, stack_name: str, services: Path | None, runtime: str, profile: Profile, open_wanted: bool
) -> lifecycle.Brought:
    source = services.absolute() if services else None
    with LiveTable() if say.on_terminal() else ComponentTable() as table:
        try:
            return lifecycle.bring_up(directory, stack_name, source, table, runtime=runtime, profile=profile, open_wanted=open_wanted)
        except NotReady as error:
            raise _explained(error, profile, _command("up", stack_name)) from error


def _explained(error: NotReady, profile: Profile, again: str) -> UserError:
    details, next_step = list(error.details), error.next_step
    if error.ended:
        next_step = recovery.after(error, again)
    product = products.of_component(profile, error.component)
    if product and (repaired := product.repaired(error.log)):
        details += ["", repaired]
        next_step = again
    return UserError(f"✗ {error.message}", next_step, details=details)


def _conclude(brought: lifecycle.Brought, seconds: float, here: Workspace | None) -> None:
    stack = brought.stack
    memory = brought.runtime.memory()
    runs = f"{len(memory)} {WHAT_RUNS[stack.runtime]}, {say.megabytes(sum(memory.values()))}"
    if brought.reset_finished:
        say.line("The reset that was interrupted is finished: all stores are empty.")
    if not brought.started:
        say.line(f"All is well: {runs}. The gateway is at {stack.url('gateway')}.")
    elif len(brought.started) < len(stack.names):
        say.line(f"\nStarted {_enumerated(stack, brought.started)}; the rest was running. Ready in {seconds:.1f} s.")
    else:
        kept = f"Your data is kept between `{_command('down', stack.name)}` and `{_command('up', stack.name)}`."
        say.line(f"\nReady in {seconds:.1f} s: {runs}. {kept}")
    if stack.source != paths.content():
        say.line(f"The services run from {stack.source}.")
    _tell_of_edits(stack)
    if stack.accounts.open:
        say.line(accounts.describe_open(stack.profile))
    if len(brought.started) in (0, len(stack.names)):
        _show_addresses(stack.url("gateway"))
    known = progress.load(here)
    then = next_step.of_labs(lab_status.of_all(known), here) if here else next_step.first(stack.name)
    say.line(f"Next: {then}")


def _show_addresses(gateway: str) -> None:
    """Print the addresses. The curl lines are not wrapped, so that they can be pasted."""
    say.line(f"\nIn the browser: {gateway}/swagger-ui/index.html\nOr in this terminal:")
    say.raw(f"  curl -s {gateway}/customers \\\n    -H 'content-type: application/json' \\")
    say.raw("""    -d '{"name":"Ada","creditLimit":{"amount":15.00}}'\n""")


def _tell_of_edits(stack: Stack) -> None:
    digests = sources.digests(stack.source, stack.services)
    stale = [c.name for c in stack.components if c.digest and c.digest != digests[c.name]]
    if stale:
        restart = " ".join(stale)
        say.line(f"The services' files changed since {_enumerated(stack, stale)} started: {_command(f'restart {restart}', stack.name)}")


def _enumerated(stack: Stack, names: "frozenset[str] | list[str]") -> str:
    ordered = [name for name in stack.names if name in names]
    return ordered[0] if len(ordered) == 1 else f"{', '.join(ordered[:-1])} and {ordered[-1]}"


def _command(words: str, name: str) -> str:
    return f"labkit {words}{stack_names.named(name)}"
