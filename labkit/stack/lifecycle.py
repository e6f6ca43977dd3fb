"""Bring a stack up, reset it, take it down. Each can be interrupted at any point; the next `up` finishes the work."""

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
from labkit.account import LOOPBACK
from labkit.errors import Damaged, UserError
from labkit.preparation_report import Preparing
from labkit.stack import (
    accounts,
    compose,
    port_choice,
    port_claims,
    probes,
    products,
    provision,
    runtimes,
    sources,
    sql,
    start_times,
    state,
    stores,
)
from labkit.stack.model import Component, Endpoint, Stack
from labkit.stack.readiness import Ready, wait_all
from labkit.stack.runtime import DOCKER, NATIVE, Runtime
from labkit.system import find as profiles
from labkit.system.model import Profile

PORT_TRIES = 3  # attempts when a port is taken between its choice and its use
RESET, RESET_ALL = "stores", "data"  # what an unfinished reset empties


class View(Preparing, Protocol):
    """Shows the progress while a stack comes up."""

    def starting(self, stack: Stack, names: Collection[str]) -> None: ...

    def ready(self, ready: Ready) -> None: ...

    def tick(self) -> None:
        """Called at least every 0.1 s while waiting."""


@dataclass(frozen=True)
class Brought:
    """The result of `up`."""

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
    profile: Profile,
    restart: Collection[str] = (),
    open_wanted: bool | None = None,
) -> Brought:
    """Start the stopped components, restart those in `restart`, and wait until all are ready. Raises UserError.

    If the stack runs, it already has this `profile`. For `open_wanted` see accounts.settle. The caller holds the stack's lock.
    """
    for _ in range(PORT_TRIES):
        with suppress(port_choice.PortTaken):
            return _bring_up(directory, name, wanted_source, view, runtime, profile, restart=restart, open_wanted=open_wanted)
    return _bring_up(directory, name, wanted_source, view, runtime, profile, restart=restart, open_wanted=open_wanted)


def _bring_up(
    directory: Path,
    name: str,
    wanted_source: Path | None,
    view: View,
    runtime: str,
    profile: Profile,
    *,
    restart: Collection[str],
    open_wanted: bool | None,
) -> Brought:
    services = {service.name for service in profile.services}
    writers = [service.name for service in profile.services if service.writes]
    intent = reset_intent(directory)
    old = state.find(name)
    if intent == RESET_ALL:
        take_down(directory, old, data=True)
        old = intent = None
    running = runtimes.of(runtime, directory, profile)
    alive = running.resume_halted()
    if not alive:
        running.end_leftovers()  # a killed labkit may have started components without recording them
    source = (wanted_source or (old.source if old and alive & services else paths.content())).absolute()
    if runtime == DOCKER:
        compose.refuse_paths(source, directory, paths.compose_directory())
    provision.statements(source, profile)  # raises UserError when `source` is not a folder of services
    versions = running.prepare(alive, view)
    accounts.settle(directory, profile, open_wanted=open_wanted)
    stack = _describe(directory, name, runtime, profile, source, versions, old, alive | running.stopped_holding_ports())
    if runtime == NATIVE and old and _store_ports(stack) != _store_ports(old):
        # The program that took a store's port may have received its password from clients of the store.
        accounts.settle(directory, profile, redraw=True)
    changed = running.plan(stack, alive)
    must_stop = changed | alive & set(restart) | (alive & set(writers) if intent else set())
    running.stop(changed)
    running.stop_to_restart(must_stop - changed)
    missing = set(stack.names) - alive | must_stop
    sources.forget_unsafe_bytecode(stack.source)
    digests = sources.digests(stack.source, stack.services)  # computed before the start, so that a file saved from now on counts as changed
    kept = {component.name: component.digest for component in old.components} if old else {}
    if _view_is_of_other_code(stack, missing, kept, digests):
        stores.empty_view(stack)  # data and positions that other code wrote are not valid for this code
    stack = _with_digests(stack, {c: "" if c in missing else kept.get(c, "") for c in stack.names})
    state.save(stack)
    try:
        _start_and_wait(running, stack, missing, view, intent=intent)
        stack = _with_digests(stack, {name: digests[name] for name in missing & services})
        state.save(stack)
        port_claims.settle(directory, stack.ports)
    except KeyboardInterrupt:
        _undo(running, stack, missing)
        raise
    return Brought(stack, running, frozenset(missing), reset_finished=intent is not None)


def _view_is_of_other_code(stack: Stack, missing: Collection[str], before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether a service that stores positions in Redis restarts with files that differ from those that wrote them."""
    keepers = [s.component for s in stack.profile.subscriptions if s.stores_positions and s.component in missing]
    return "redis" not in missing and any(before.get(name, "") not in ("", now[name]) for name in keepers)


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
        runtime.check_supervisor()
        view.tick()

    def wait_for(names: Collection[str], since: float) -> None:
        waits = [probes.waiting_for(stack, runtime, name, new_accounts=new_accounts) for name in names]
        wait_all(waits, since=since, tell=tell, tick=tick)

    new_accounts = _is_due(stack)
    writers = [service.name for service in stack.profile.services if service.writes]
    first = missing - set(writers) if intent else missing
    since = runtime.start(sorted(first, key=stack.names.index))
    if intent:
        wait_for(stack.servers, since)
        provision.repair_tables(stack, runtime.first_access(stack))
        stores.empty(stack)
        since = runtime.start(writers)
    wait_for(stack.names if not intent else stack.services, since)
    if intent:
        (stack.directory / "reset.json").unlink()
    start_times.note(stack.directory, took)


def _undo(runtime: Runtime, stack: Stack, started: set[str]) -> None:
    """After Ctrl-C: stop the components that this command started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if started == set(stack.names):
        runtime.down(data=False)
    else:
        runtime.stop(started & set(stack.services))
        runtime.stop(started)


def _describe(
    directory: Path,
    name: str,
    runtime: str,
    profile: Profile,
    source: Path,
    versions: dict[str, str],
    old: Stack | None,
    alive: set[str],
) -> Stack:
    """Describe the stack to bring up. Components in `alive` keep their ports; stopped components keep theirs if the ports are free.

    `alive` has the components that run or whose ports are reserved.
    """
    had = {component.name: component for component in old.components} if old else {}
    default = {each.name: each.port for each in profile.parts}
    wanted = {c: had[c].endpoint.port if c in had else default[c] for c in profile.components if c not in alive}
    if runtime == NATIVE and any(products.of(server.product).has_second_port for server in profile.servers if server.name not in alive):
        wanted["controller"] = old.controller_port if old else 0
    chosen = port_choice.choose(wanted, directory) if wanted else {}
    kinds = {server.name: (server.product, "") for server in profile.servers}

    def component(c: str) -> Component:
        if c not in chosen:
            return had[c]
        kind, scheme = kinds.get(c, ("service", "http"))
        return Component(c, kind, Endpoint(LOOPBACK, chosen[c].number, scheme), versions.get(c, ""), chosen[c].note)

    controller = chosen["controller"].number if "controller" in chosen else old.controller_port if old else 0
    bits = old.address_bits if old else _new_address_bits()
    return Stack(name, directory, runtime, profile, source, bits, tuple(map(component, profile.components)), controller)


def _store_ports(stack: Stack) -> list[int]:
    return [*(stack[name].endpoint.port for name in stack.servers), stack.controller_port]


def _new_address_bits() -> int:
    taken = {stack.address_bits for other in state.all_names() if (stack := state.find_undamaged(other))}
    while (bits := secrets.randbits(24)) in taken:
        pass
    return bits


def _with_digests(stack: Stack, digests: Mapping[str, str]) -> Stack:
    """Return the stack with these digests. A service without a digest (not yet ready) counts as changed."""
    return replace(stack, components=tuple(replace(c, digest=digests.get(c.name, c.digest)) for c in stack.components))


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _provisioned(directory: Path) -> Path:
    return directory / "data" / "mysql.provisioned"


def _is_due(stack: Stack) -> bool:
    """Whether the database lacks accounts or tables that it should have."""
    return _text_of(_provisioned(stack.directory)) != provision.digest(stack)


def _provision(stack: Stack, runtime: Runtime) -> None:
    """Create the missing accounts and tables. At the first start, write the mark."""
    if _is_due(stack):
        provision.apply(stack, runtime.first_access(stack))
        paths.write(_provisioned(stack.directory), provision.digest(stack))
    # evidence starts at the mark; before the first reset there is only this one, at the beginning of the logs
    if not (stack.directory / "mark.json").exists():
        stores.write_mark(stack, sql.first_binlog_position(stack.mysql), {})


def reset_intent(directory: Path) -> str | None:
    """Return what an unfinished reset empties, or None when there is none."""
    try:
        empties = paths.read_json(directory / "reset.json", dict, "labkit up").get("empties")
    except FileNotFoundError:
        return None
    except Damaged:
        return RESET  # labkit writes this file in one step before it empties anything, so another program damaged it
    return RESET_ALL if empties == RESET_ALL else RESET


def intend_reset(directory: Path, empties: str) -> None:
    """Record the reset. From now on the next `up` finishes it, even if this process dies."""
    paths.write(directory / "reset.json", json.dumps({"empties": empties, "time": time.time()}))


def take_down(directory: Path, stack: Stack | None, *, data: bool) -> None:
    """Stop every process of the stack. With `data`, remove the stack completely. The caller holds the stack's lock."""
    # A stack without a description was killed at its first start, so its runtime is unknown.
    profile = stack.profile if stack else profiles.default()
    for runtime in [stack.runtime] if stack else runtimes.usable():
        runtimes.of(runtime, directory, profile).down(data=data)
    with suppress(OSError, UserError):  # the claim ends anyway when the stack's description is gone
        port_claims.give_back(directory)
    if data:
        _forget(directory)


def _forget(directory: Path) -> None:
    """Remove everything except the lock. The next `up` finishes an interrupted removal.

    For that, the description goes first and the reset intent last. On a full disk, logs and runs are removed first to make room for the
    intent.
    """
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
    """Remove a file or folder. Raises OSError that names what could not be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
