"""Bringing a stack up, or back up; emptying it; taking it down. Each can be interrupted anywhere and is finished by the next `up`."""

import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from labkit import paths
from labkit.stack import installed, native, ports, probes, processes, provision, sql, state, stores
from labkit.stack.model import COMPONENTS, DEFAULT_PORTS, LOOPBACK, SERVERS, SERVICES, STORE_WRITERS, SUPERVISOR, Component, Endpoint, Stack
from labkit.stack.runtime import Runtime
from labkit.stack.servers import kafka, mysql
from labkit.stack.wait import Ready, wait_all

RESET, RESET_ALL = "stores", "data"  # what a reset that is under way empties


class View(Protocol):
    """Shows what happens while a stack comes up."""

    def preparing(self, what: str) -> None:
        """Something that is done once, then kept in the cache."""

    def starting(self, stack: Stack, names: Collection[str]) -> None: ...

    def ready(self, ready: Ready) -> None: ...

    def tick(self) -> None:
        """Called at least every 0.1 s while waiting."""


@dataclass(frozen=True)
class Brought:
    """What `up` did."""

    stack: Stack
    started: frozenset[str]
    reset_finished: bool = False


def bring_up(directory: Path, name: str, wanted_source: Path | None, view: View) -> Brought:
    """Start what does not run, and wait until all is ready. The caller holds the stack's lock. Raises UserError."""
    intent = reset_intent(directory)
    old = state.find(name)
    if intent == RESET_ALL:
        take_down(directory, old, data=True)
        old = intent = None
    alive = {component for component in COMPONENTS if (process := processes.running(directory, component)) and _wake(process)}
    if not alive:
        processes.stop(
            dict.fromkeys(processes.marked(directory), native.STRAY_GRACE)
        )  # left by a labkit that was killed before it could write them down
    has = installed.find_all()
    source = wanted_source or (old.source if old and alive & set(SERVICES) else state.default_source())
    provision.statements(source)  # is this a folder of services at all?
    _prepare_data(directory, has, alive, view)
    stack = _describe(directory, name, source, has, old, alive)
    plan = native.plan(stack, has)
    runtime: Runtime = native.Native(stack)

    before = native.planned(directory)
    changed = {component for component in alive if _differs(before.get(component), plan[component])}
    must_stop = changed | (alive & set(STORE_WRITERS) if intent else set())
    runtime.stop(must_stop)
    missing = set(COMPONENTS) - alive | must_stop
    stack = _with_digests(stack, old, missing)
    state.save(stack)
    try:
        _start_and_wait(runtime, stack, plan, missing, view, intent=intent)
    except KeyboardInterrupt:
        _undo(runtime, stack, missing)
        raise
    finally:
        ports.release()
    return Brought(stack, frozenset(missing), reset_finished=intent is not None)


def _start_and_wait(runtime: Runtime, stack: Stack, plan: dict[str, Any], missing: set[str], view: View, *, intent: str | None) -> None:
    view.starting(stack, missing)

    def tell(ready: Ready) -> None:
        if ready.component == "mysql":
            _provision(stack)
        view.ready(ready)

    def tick() -> None:
        runtime.check()
        view.tick()

    new = not _provisioned(stack.directory).exists()
    first = missing - set(STORE_WRITERS) if intent else missing
    supervised = processes.running(stack.directory, SUPERVISOR) is not None
    since = runtime.start(plan, sorted(first, key=COMPONENTS.index)) if first or not supervised else time.time()
    if intent:
        wait_all([probes.waiting_for(stack, name, new_database=new) for name in SERVERS], since=since, tell=tell, tick=tick)
        stores.empty(stack)
        since = runtime.start(plan, STORE_WRITERS)
    rest = COMPONENTS if not intent else SERVICES
    wait_all([probes.waiting_for(stack, name, new_database=new) for name in rest], since=since, tell=tell, tick=tick)
    if intent:
        (stack.directory / "reset.json").unlink()


def _wake(process: processes.Process) -> bool:
    """One that was paused goes on."""
    return not process.paused() or process.send(signal.SIGCONT)


def _undo(runtime: Runtime, stack: Stack, started: set[str]) -> None:
    """After Ctrl-C: stop what this command started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if started == set(COMPONENTS):
        runtime.down()
    else:
        runtime.stop(started & set(SERVICES))
        runtime.stop(started)


def _differs(before: Any, now: dict[str, Any]) -> bool:
    """Was it started in another way than it would be now? What is passed on from the caller's environment does not count."""
    if before is None:
        return True
    own = {name: value for name, value in before["env"].items() if name not in native.PASSED_ON}
    return bool((_without_archive(before["argv"]), own, before["cwd"]) != (_without_archive(now["argv"]), now["env"], now["cwd"]))


def _without_archive(argv: list[str]) -> list[str]:
    """An archive that was made since is no reason to restart Kafka."""
    return [word for word in argv if not word.startswith("-XX:SharedArchiveFile=")]


def _describe(directory: Path, name: str, source: Path, has: installed.Installed, old: Stack | None, alive: set[str]) -> Stack:
    """The stack to be: what runs keeps its ports, and so does what it depends on if it can."""
    wanted = {c: old[c].endpoint.port if old and alive else DEFAULT_PORTS[c] for c in COMPONENTS if c not in alive}
    if "kafka" not in alive:
        wanted["controller"] = old.controller_port if old else 0
    chosen = ports.choose(wanted) if wanted else {}
    versions = has.versions()

    def component(c: str) -> Component:
        if c not in chosen:
            assert old is not None
            return old[c]
        kind, scheme = (c, "") if c in SERVERS else ("service", "http")
        return Component(c, kind, Endpoint(LOOPBACK, chosen[c].number, scheme), versions.get(c, ""), chosen[c].note)

    controller = chosen["controller"].number if "controller" in chosen else old.controller_port if old else 0
    bits = old.address_bits if old else _new_address_bits()
    return Stack(name, directory, "native", source.absolute(), bits, tuple(map(component, COMPONENTS)), controller)


def _new_address_bits() -> int:
    taken = {stack.address_bits for other in state.all_names() if (stack := state.find(other))}
    while (bits := secrets.randbits(24)) in taken:
        pass
    return bits


def _with_digests(stack: Stack, old: Stack | None, started: set[str]) -> Stack:
    digest = state.digest_of(stack.source)

    def current(component: Component) -> Component:
        if component.kind != "service":
            return component
        return replace(component, digest=digest if component.name in started or old is None else old[component.name].digest)

    return replace(stack, components=tuple(map(current, stack.components)))


def _prepare_data(directory: Path, has: installed.Installed, alive: set[str], view: View) -> None:
    """The servers' data directories, and what is made once and kept in the cache."""
    data = directory / "data"
    os.environ[processes.MARKER] = str(directory)  # what is started here is found by `down` if labkit is killed
    try:
        if "mysql" not in alive and not (data / "mysql").is_dir():
            if not mysql.has_template(has.mysql):
                view.preparing("the database's data directory")
            mysql.prepare_data(has.mysql, data / "mysql", directory / "scratch")
        if "kafka" not in alive:
            kafka.prepare_data(has.kafka, data / "kafka")
            if kafka.archive(has.kafka) is None:
                view.preparing("Kafka's class-data archive, which makes it start faster")
                kafka.make_archive(has.kafka)
        (data / "redis").mkdir(parents=True, exist_ok=True)
    finally:
        del os.environ[processes.MARKER]


def _provisioned(directory: Path) -> Path:
    return directory / "data" / "mysql.provisioned"


def _provision(stack: Stack) -> None:
    """Accounts, and the tables that the services' files have and the database has not yet; the mark of the first start."""
    done, digest = _provisioned(stack.directory), provision.digest(stack.source)
    if not done.exists() or done.read_text() != digest:
        provision.apply(stack.source, stack.mysql if done.exists() else probes.mysql_socket_of(stack.directory))
        paths.write(done, digest)
    if not (stack.directory / "mark.json").exists():  # nothing is taken from the logs before the first reset, which writes a mark
        stores.write_mark(stack.directory, sql.first_binlog_position(stack.mysql), {})


def reset_intent(directory: Path) -> str | None:
    """What a reset that was begun and not finished empties, or None."""
    try:
        return str(json.loads((directory / "reset.json").read_text())["empties"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError):
        return RESET


def intend_reset(directory: Path, empties: str) -> None:
    """From now on the next `up` finishes it, whatever happens to this process."""
    paths.write(directory / "reset.json", json.dumps({"empties": empties, "time": time.time()}))


def take_down(directory: Path, stack: Stack | None, *, data: bool) -> None:
    """Stop every process of the stack; with `data`, forget all of it. The caller holds the stack's lock."""
    if stack is None:  # perhaps killed before it was first written down
        stack = Stack(directory.name, directory, "native", directory, 0, (), 0)
    native.Native(stack).down()
    shutil.rmtree(paths.socket_directory(directory), ignore_errors=True)
    if data:
        _forget(directory)


def _forget(directory: Path) -> None:
    """Everything but the lock. The description goes first and the intention last: whatever is left of an interrupted removal is
    removed by the next `up`."""
    intend_reset(directory, RESET_ALL)
    (directory / "stack.json").unlink(missing_ok=True)
    for entry in directory.iterdir():
        if entry.name in ("lock", "reset.json"):
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (directory / "reset.json").unlink()
