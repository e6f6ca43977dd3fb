"""Bringing a stack up, or back up; emptying it; taking it down. Each can be interrupted anywhere and is finished by the next `up`."""

import json
import secrets
import shutil
import signal
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from labkit import paths
from labkit.errors import Damaged, UserError
from labkit.stack import accounts, claims, compose, ports, probes, provision, runtimes, sources, sql, starts, state, stores
from labkit.stack.model import COMPONENTS, DEFAULT_PORTS, LOOPBACK, SERVERS, SERVICES, STORE_WRITERS, Component, Endpoint, Stack
from labkit.stack.runtime import DOCKER, NATIVE, Preparing, Runtime
from labkit.stack.wait import Ready, wait_all

PORT_TRIES = 3  # a port that is taken between choosing and using it is replaced by another
VIEW = "order-history"
RESET, RESET_ALL = "stores", "data"  # what a reset that is under way empties


class View(Preparing, Protocol):
    """Shows what happens while a stack comes up."""

    def starting(self, stack: Stack, names: Collection[str]) -> None: ...

    def ready(self, ready: Ready) -> None: ...

    def tick(self) -> None:
        """Called at least every 0.1 s while waiting."""


@dataclass(frozen=True)
class Brought:
    """What `up` did."""

    stack: Stack
    runtime: Runtime
    started: frozenset[str]
    reset_finished: bool = False


def bring_up(
    directory: Path,
    name: str,
    wanted_source: Path | None,
    view: View,
    *,
    runtime: str,
    restart: Collection[str] = (),
    open_wanted: bool | None = None,
) -> Brought:
    """Start what does not run, and `restart` anew, and wait until all is ready. `open_wanted`: see accounts.settle. The caller holds the
    stack's lock. Raises UserError."""
    for _ in range(PORT_TRIES):
        with suppress(ports.PortTaken):
            return _bring_up(directory, name, wanted_source, view, runtime=runtime, restart=restart, open_wanted=open_wanted)
    return _bring_up(directory, name, wanted_source, view, runtime=runtime, restart=restart, open_wanted=open_wanted)


def _bring_up(
    directory: Path,
    name: str,
    wanted_source: Path | None,
    view: View,
    *,
    runtime: str,
    restart: Collection[str],
    open_wanted: bool | None,
) -> Brought:
    intent = reset_intent(directory)
    old = state.find(name)
    if intent == RESET_ALL:
        take_down(directory, old, data=True)
        old = intent = None
    running = runtimes.of(runtime, directory)
    alive = running.wake()
    if not alive:
        running.clear()  # left by a labkit that was killed before it could write them down
    source = (wanted_source or (old.source if old and alive & set(SERVICES) else paths.content())).absolute()
    if runtime == DOCKER:
        compose.refuse_paths(source, directory, paths.compose_directory())
    provision.statements(source)  # is this a folder of services at all?
    versions = running.prepare(alive, view)
    accounts.settle(directory, open_wanted=open_wanted)
    stack = _describe(directory, name, runtime, source, versions, old, alive | running.holds_ports())
    if runtime == NATIVE and old and _store_ports(stack) != _store_ports(old):
        accounts.settle(directory, draw_anew=True)  # whoever took a store's port may have been told its password by those who sought it
    changed = running.plan(stack, alive)
    must_stop = changed | alive & set(restart) | (alive & set(STORE_WRITERS) if intent else set())
    running.stop(changed)
    running.stop_to_restart(must_stop - changed)
    missing = set(COMPONENTS) - alive | must_stop
    sources.forget_unsafe_bytecode(stack.source)
    digests = sources.digests(stack.source)  # before they start: what is saved from now on is found to differ
    if "redis" not in missing and VIEW in missing and old is not None and old[VIEW].digest not in ("", digests[VIEW]):
        stores.empty_view(stack)  # what other code wrote, positions too, is nothing to go on from
    stack = _with_digests(stack, {c.name: "" if c.name in missing or old is None else old[c.name].digest for c in stack.components})
    state.save(stack)
    try:
        _start_and_wait(running, stack, missing, view, intent=intent)
        stack = _with_digests(stack, {name: digests[name] for name in missing & set(SERVICES)})
        state.save(stack)
        claims.settle(directory, stack.ports)
    except KeyboardInterrupt:
        _undo(running, missing)
        raise
    return Brought(stack, running, frozenset(missing), reset_finished=intent is not None)


def _start_and_wait(runtime: Runtime, stack: Stack, missing: set[str], view: View, *, intent: str | None) -> None:
    view.starting(stack, missing)

    took: dict[str, float] = {}

    def tell(ready: Ready) -> None:
        if ready.component == "mysql":
            _provision(stack, runtime)
        if ready.component in missing:
            took[ready.component] = ready.seconds
        view.ready(ready)

    def tick() -> None:
        runtime.check()
        view.tick()

    def wait_for(names: Collection[str], since: float) -> None:
        waits = [probes.waiting_for(stack, runtime, name, new_accounts=new_accounts) for name in names]
        wait_all(waits, since=since, tell=tell, tick=tick)

    new_accounts = _is_due(stack)
    first = missing - set(STORE_WRITERS) if intent else missing
    since = runtime.start(sorted(first, key=COMPONENTS.index))
    if intent:
        wait_for(SERVERS, since)
        provision.mend_tables(stack.source, runtime.first_access(stack), stack.accounts)
        stores.empty(stack)
        since = runtime.start(STORE_WRITERS)
    wait_for(COMPONENTS if not intent else SERVICES, since)
    if intent:
        (stack.directory / "reset.json").unlink()
    starts.note(stack.directory, took)


def _undo(runtime: Runtime, started: set[str]) -> None:
    """After Ctrl-C: stop what this command started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if started == set(COMPONENTS):
        runtime.down(data=False)
    else:
        runtime.stop(started & set(SERVICES))
        runtime.stop(started)


def _describe(
    directory: Path, name: str, runtime: str, source: Path, versions: dict[str, str], old: Stack | None, alive: set[str]
) -> Stack:
    """The stack to be. What runs, or is held its ports for, keeps them (`alive`); what does not run keeps those that it had, if it can."""
    wanted = {c: old[c].endpoint.port if old else DEFAULT_PORTS[c] for c in COMPONENTS if c not in alive}
    if runtime == NATIVE and "kafka" not in alive:
        wanted["controller"] = old.controller_port if old else 0
    chosen = ports.choose(wanted, directory) if wanted else {}

    def component(c: str) -> Component:
        if c not in chosen:
            assert old is not None
            return old[c]
        kind, scheme = (c, "") if c in SERVERS else ("service", "http")
        return Component(c, kind, Endpoint(LOOPBACK, chosen[c].number, scheme), versions.get(c, ""), chosen[c].note)

    controller = chosen["controller"].number if "controller" in chosen else old.controller_port if old else 0
    bits = old.address_bits if old else _new_address_bits()
    return Stack(name, directory, runtime, source, bits, tuple(map(component, COMPONENTS)), controller)


def _store_ports(stack: Stack) -> list[int]:
    return [*(stack[name].endpoint.port for name in SERVERS), stack.controller_port]


def _new_address_bits() -> int:
    taken = {stack.address_bits for other in state.all_names() if (stack := state.find_whole(other))}
    while (bits := secrets.randbits(24)) in taken:
        pass
    return bits


def _with_digests(stack: Stack, digests: Mapping[str, str]) -> Stack:
    """A service that is not ready yet has none: if it never gets ready, its files count as changed."""
    return replace(stack, components=tuple(replace(c, digest=digests.get(c.name, c.digest)) for c in stack.components))


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _provisioned(directory: Path) -> Path:
    return directory / "data" / "mysql.provisioned"


def _is_due(stack: Stack) -> bool:
    """Has the database not all accounts and tables yet that it should have?"""
    return _text_of(_provisioned(stack.directory)) != provision.digest(stack.source, stack.accounts)


def _provision(stack: Stack, runtime: Runtime) -> None:
    """Accounts, and the tables that the services' files have and the database has not yet; the mark of the first start."""
    if _is_due(stack):
        provision.apply(stack.source, runtime.first_access(stack), stack.accounts)
        paths.write(_provisioned(stack.directory), provision.digest(stack.source, stack.accounts))
    if not (stack.directory / "mark.json").exists():  # nothing is taken from the logs before the first reset, which writes a mark
        stores.write_mark(stack.directory, sql.first_binlog_position(stack.mysql), {})


def reset_intent(directory: Path) -> str | None:
    """What a reset that was begun and not finished empties, or None."""
    try:
        empties = paths.read_json(directory / "reset.json", dict, "labkit up").get("empties")
    except FileNotFoundError:
        return None
    except Damaged:
        return RESET  # it is written before anything is emptied, whole: somebody else damaged it
    return RESET_ALL if empties == RESET_ALL else RESET


def intend_reset(directory: Path, empties: str) -> None:
    """From now on the next `up` finishes it, whatever happens to this process."""
    paths.write(directory / "reset.json", json.dumps({"empties": empties, "time": time.time()}))


def take_down(directory: Path, stack: Stack | None, *, data: bool) -> None:
    """Stop every process of the stack; with `data`, forget all of it. The caller holds the stack's lock."""
    # A stack that was never written down was killed at its first start: nobody knows on which runtime.
    for runtime in [stack.runtime] if stack else runtimes.usable():
        runtimes.of(runtime, directory).down(data=data)
    with suppress(OSError, UserError):  # it counts no longer than the stack's description is there
        claims.give_back(directory)
    if data:
        _forget(directory)


def _forget(directory: Path) -> None:
    """Everything but the lock. The description goes first and the intention last: whatever is left of an interrupted removal is
    removed by the next `up`. On a full disk what labkit can do without makes room for the intention."""
    for room in ("logs", "runs"):
        try:
            intend_reset(directory, RESET_ALL)
            break
        except OSError:
            shutil.rmtree(directory / room, ignore_errors=True)
    _remove(directory / state.FILE)
    for entry in directory.iterdir():
        if entry.name not in ("lock", "reset.json"):
            _remove(entry)
    _remove(directory / "reset.json")


def _remove(path: Path) -> None:
    """Raises OSError that names what cannot be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
