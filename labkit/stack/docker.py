"""The Docker runtime: the servers and services as containers of this machine's engine.

`docker compose` creates the containers from compose/compose.yaml. Later actions use the engine's API or the docker SDK, and find the
containers by compose's labels.
"""

import datetime
import json
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from labkit import docker_engine, paths
from labkit.account import Account
from labkit.errors import Damaged, UserError
from labkit.preparing import Preparing
from labkit.stack import accounts, compose, event_log, log_files, products
from labkit.stack.model import Stack
from labkit.stack.runtime import CUT, DOCKER, FAILED, PAUSED, RUNNING, STOPPED, ComponentStatus, End
from labkit.system.model import Profile

# Seconds that a service may take to end by itself.
SERVICE_GRACE = 4
ANSWER_TIMEOUT = 10.0
DONE_TIMEOUT = 60.0
FREEZE_TRIES = 10
CLOCKS_APART = 1.0  # maximum seconds by which the engine's clock (perhaps in a virtual machine) lags behind ours
REMEMBERED = 86400.0  # seconds before a process's end in which to look for its start
PROCESSOR_S = 0.3  # measuring interval for processor use
FRESH = 0.1  # seconds for which a list of the containers stays valid
KEPT_LINES = 2000  # lines of each log that outlive the containers
WAITING, BEGAN = "waiting", "began"  # files of a service that restarts inside its container
ENDS_WITHIN, LOOK = 4.0, 0.01
RUNS = {"running", "paused", "restarting"}
EVENTS = {"start": "start", "die": "end", "pause": "pause", "unpause": "unpause", "oom": "oom"}


class Docker:
    name = DOCKER
    extra: Sequence[str] = ()
    unsupported: Mapping[str, UserError] = {}

    def __init__(self, directory: Path, profile: Profile) -> None:
        self._directory = directory
        self._profile = profile
        self._names = profile.components
        self._services = frozenset(service.name for service in profile.services)
        self._project = compose.project_of(directory)
        self._looked, self._seen_then = 0.0, dict[str, dict[str, Any]]()
        self._lock = threading.Lock()

    @cached_property
    def _engine(self) -> docker_engine.Engine:
        """Raises NoEngine."""
        return docker_engine.find()

    @cached_property
    def _api(self) -> Any:
        return docker_engine.client(self._engine).api

    # inspecting

    def _containers(self) -> dict[str, dict[str, Any]]:
        """Return the stack's containers by component, as the engine lists them. Asks the engine at most every FRESH seconds."""
        with self._lock:
            if time.monotonic() - self._looked > FRESH:
                query = json.dumps({"label": [f"com.docker.compose.project={self._project}"]})
                found = self._get(f"/containers/json?all=1&filters={docker_engine.quoted(query)}")
                self._seen_then = {c["Labels"]["com.docker.compose.service"]: c for c in found}
                self._looked = time.monotonic()
            return self._seen_then

    def _get(self, path: str) -> Any:
        """GET from the engine's API. Raises NoEngine when the engine has stopped answering."""
        try:
            return docker_engine.get(self._engine.host, path, timeout=ANSWER_TIMEOUT)
        except TimeoutError:
            raise docker_engine.silent(str(self._engine.socket)) from None
        except (ConnectionError, FileNotFoundError) as error:
            raise docker_engine.NoEngine(
                docker_engine.STOPPED, f"The Docker engine does not answer any more: {error}.", "labkit doctor"
            ) from None

    def _post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """POST to the engine's API, without the docker SDK, whose import takes longer than the request. Raises Refused and NoEngine."""
        try:
            return docker_engine.post(self._engine.host, path, body, timeout=DONE_TIMEOUT)
        except TimeoutError:
            raise docker_engine.silent(str(self._engine.socket)) from None
        except OSError as error:
            raise docker_engine.NoEngine(
                docker_engine.STOPPED, f"The Docker engine does not answer any more: {error}.", "labkit doctor"
            ) from None

    def _look_again(self) -> None:
        self._looked = 0.0

    def running(self) -> set[str]:
        """Raises NoEngine when the engine accepts connections but does not answer."""
        try:
            return {name for name, container in self._containers().items() if container["State"] in RUNS and not self._waits(name)}
        except docker_engine.NoEngine as error:
            if error.kind == docker_engine.SILENT:
                raise
            return set()  # containers do not outlive their engine

    def _own(self, name: str) -> Path:
        """Return the folder in which a service writes its acknowledgement, hits and restart files."""
        return self._directory / compose.CONTROL / "hits" / name

    def _waits(self, name: str) -> bool:
        """Whether the service has ended and waits in its container for the signal to begin again."""
        return name in self._services and (self._own(name) / WAITING).exists()

    def runs(self, component: str) -> bool:
        return component in self.running()

    def stopped_holding_ports(self) -> set[str]:
        return {name for name, container in self._containers().items() if container["State"] in RUNS and self._waits(name)}

    def status(self) -> dict[str, ComponentStatus]:
        try:
            containers = self._containers()
        except docker_engine.NoEngine as error:
            if error.kind == docker_engine.SILENT:
                raise
            containers = {}
        return dict(zip(self._names, self._each(self._names, lambda name: self._seen(containers.get(name))), strict=True))

    def _seen(self, container: dict[str, Any] | None) -> ComponentStatus:
        if container is None:
            return ComponentStatus(STOPPED)
        name = container["Labels"]["com.docker.compose.service"]
        if container["State"] in RUNS and self._waits(name):
            return ComponentStatus(STOPPED)
        if container["State"] not in RUNS:
            end = self._end_of(container["Id"])
            return ComponentStatus(STOPPED if end is None or end.asked_for else FAILED)
        state = self._inspect(container["Id"])["State"]
        uptime = time.time() - max(_epoch(state["StartedAt"]), self._began_again(name))
        return ComponentStatus(_halted(container) or RUNNING, state["Pid"], max(0.0, uptime), state.get("Health", {}).get("Status", ""))

    def _began_again(self, name: str) -> float:
        try:
            return (self._own(name) / BEGAN).stat().st_mtime
        except OSError:
            return 0.0

    def _inspect(self, container_id: str) -> Any:
        return self._get(f"/containers/{container_id}/json")

    def _end_of(self, container_id: str) -> End | None:
        state = self._inspect(container_id)["State"]
        if state["Status"] not in ("exited", "dead"):
            return None
        return End(_epoch(state["FinishedAt"]), *_code_and_signal(int(state["ExitCode"])), bool(state["OOMKilled"]))

    def memory(self) -> dict[str, int]:
        """Return each container's memory as the engine counts it, minus the file cache that could be dropped."""
        names = sorted(self.running(), key=self._names.index)
        return {name: size for name, size in zip(names, self._each(names, self._memory_of), strict=True) if size is not None}

    def _memory_of(self, name: str) -> int | None:
        with suppress(OSError):  # the container may just have ended
            path = f"/containers/{self._id(name)}/stats?stream=false&one-shot=true"
            usage = self._get(path)["memory_stats"]
            cache = usage["stats"].get("inactive_file", usage["stats"].get("total_inactive_file", 0))
            return int(usage["usage"]) - int(cache)
        return None

    def owns_port(self, component: str, port: int) -> bool:
        return True  # the engine assigns a port to one container only, and refuses a port in use

    def last_end(self, component: str, since: float) -> End | None:
        container = self._containers().get(component)
        end = self._end_of(container["Id"]) if container else None
        return end if end and end.time >= since - CLOCKS_APART else None

    def start_failed(self, component: str, since: float) -> End | None:
        return self.last_end(component, since)  # the engine answers a stop only after it has seen the end

    def events(self, since: float) -> list[dict[str, Any]]:
        """Return the events that the engine remembers (the last 256 of all its containers), and those that labkit announced in its file."""
        filters = {"label": [f"com.docker.compose.project={self._project}"], "type": ["container"], "event": list(EVENTS)}
        found = self._api.events(since=f"{since:.3f}", until=f"{time.time():.3f}", filters=filters, decode=True)
        announced = [event for event in event_log.read(self._directory) if event["time"] >= since]
        return sorted([*announced, *map(_event, found)], key=lambda event: float(event["time"]))

    def why_events_missing(self, since: float) -> str | None:
        """Detect lost events: a container was started since then, and the engine has no event of that start."""
        started = {event["component"] for event in self.events(since) if event["event"] == "start"}
        for name, container in self._containers().items():
            if name not in started and _epoch(self._inspect(container["Id"])["State"]["StartedAt"]) > since + CLOCKS_APART:
                return f"{name} was started again, and the engine does not remember what happened before"
        return None

    def halted(self) -> dict[str, str]:
        return {name: what for name, container in self._containers().items() if (what := _halted(container))}

    def log(self, component: str, count: int | None) -> list[str]:
        """Read the container's log, or the copy that was saved when the container was removed."""
        with suppress(docker_engine.NoEngine, OSError):
            container = self._containers().get(component)
            if container:
                text: bytes = self._api.logs(container["Id"], tail="all" if count is None else count)
                return text.decode(errors="replace").splitlines()
        return log_files.lines(log_files.of(self._directory, component), count)

    def process_log(self, component: str, count: int, ended: float | None = None) -> list[str] | None:
        with suppress(docker_engine.NoEngine, OSError):
            container = self._containers().get(component)
            if container and (since := self._start_of(container, ended)) is not None:
                until = None if ended is None else ended + CLOCKS_APART
                text: bytes = self._api.logs(container["Id"], tail=count, since=since, until=until)
                return text.decode(errors="replace").splitlines()
        return None

    def _start_of(self, container: dict[str, Any], ended: float | None) -> float | None:
        """Return when the container's last process (or the process that ended at `ended`) was started, or None when that is unknown."""
        name = container["Labels"]["com.docker.compose.service"]
        last = max(_epoch(self._inspect(container["Id"])["State"]["StartedAt"]), self._began_again(name))
        if ended is None or last <= ended:
            return last
        starts = [e["time"] for e in self.events(ended - REMEMBERED) if e["event"] == "start" and e["component"] == name]
        return next((began for began in reversed(starts) if began <= ended), None)

    def processor_percent(self, component: str) -> float | None:
        with suppress(docker_engine.NoEngine, docker_engine.Refused, OSError, KeyError, ZeroDivisionError):
            path = f"/containers/{self._id(component)}/stats?stream=false&one-shot=true"
            used: list[int] = []
            begun = time.monotonic()
            for pause in (0.0, PROCESSOR_S):
                time.sleep(pause)
                used.append(int(self._get(path)["cpu_stats"]["cpu_usage"]["total_usage"]))
            return (used[1] - used[0]) / 1e9 / (time.monotonic() - begun) * 100
        return None

    def follow(self, components: Collection[str]) -> Iterator[tuple[str, str]]:
        """Ends when the containers have ended."""
        names = [name for name in components if name in self._containers()]
        command = compose.command(self._directory, "logs", "--follow", "--tail", "0", "--no-color", *names)
        yield from compose.lines_of(command, self._directory)

    # bringing up

    def resume_halted(self) -> set[str]:
        with suppress(docker_engine.NoEngine):
            self.unpause(self._names)
            self.join(self._names)
        return self.running()

    def refuse_unusable(self) -> None:
        docker_engine.find()
        compose.check_version()

    def end_leftovers(self) -> None:
        """Nothing to do: compose takes over what an interrupted command left."""

    def prepare(self, alive: Collection[str], view: Preparing) -> dict[str, str]:
        if set(self._names) - self._containers().keys():
            compose.check_version()
        from labkit.images import catalog, pull

        images = catalog.chosen(self._engine)
        if not alive:
            compose.refuse_too_little_memory(self._engine, images, self._profile)
        if set(self._names) - set(alive):
            pull.get_missing(self._engine, images, view)
        self._images = images
        return {kind: choice.description for kind, choice in images.items() if kind != "services"}

    def plan(self, stack: Stack, alive: Collection[str]) -> set[str]:
        references = {kind: choice.reference for kind, choice in self._images.items()}
        compose.write_settings(stack, references, self._subnet)
        if not alive:
            return set()
        hashes = compose.config_hashes(self._directory)
        return {name for name in alive if self._containers()[name]["Labels"]["com.docker.compose.config-hash"] != hashes[name]}

    def _subnet(self, project: str, kept: str | None) -> str:
        """Return the stack's subnet: that of its network, or one that the engine finds free.

        A container can get a fixed address back only in a subnet that was configured explicitly. So this creates a trial network, takes the
        subnet that the engine chose, and configures that subnet.
        """
        label = f"com.docker.compose.project={project}"
        if kept and self._get(f"/networks?filters={docker_engine.quoted(json.dumps({'label': [label]}))}"):
            return kept
        trial = self._api.create_network(f"{project}-trial", labels={"com.docker.compose.project": project})
        try:
            subnet: str = self._api.inspect_network(trial["Id"])["IPAM"]["Config"][0]["Subnet"]
            return subnet
        finally:
            self._api.remove_network(trial["Id"])

    def first_access(self, stack: Stack) -> tuple[Account, Account]:
        """provision.sql creates the accounts: the image runs it before it listens. A volume from an earlier labkit still has the published
        passwords.
        """
        admin = stack.mysql
        return admin, replace(admin, password=accounts.PUBLISHED.mysql(admin.user))

    def start(self, names: Collection[str]) -> float:
        since = time.time()
        containers = self._containers()
        waiting = [name for name in names if name in self.stopped_holding_ports() and self._are_current([containers[name]])]
        self._each(waiting, self._begin_again)  # their containers run, so compose would leave them alone
        others = [name for name in names if name not in waiting]
        for name in others:
            (self._own(name) / WAITING).unlink(missing_ok=True)  # from a container that ended, or is replaced, while its service waited
        if others and containers.keys() >= set(others) and self._are_current([containers[name] for name in others]):
            self._each(others, lambda name: self._on(name, "start"))  # quicker than compose, which checks everything
        elif others:
            compose.up(self._directory, others)
        self._look_again()
        return since

    def _begin_again(self, name: str) -> None:
        self._on(name, "kill?signal=SIGHUP")
        deadline = time.monotonic() + ENDS_WITHIN
        while self._waits(name) and time.monotonic() < deadline:
            time.sleep(LOOK)

    def _are_current(self, containers: Collection[dict[str, Any]]) -> bool:
        """Whether the containers were created with the current configuration."""
        hashes = compose.config_hashes(self._directory)
        labels = [container["Labels"] for container in containers]
        return all(hashes.get(of["com.docker.compose.service"]) == of.get("com.docker.compose.config-hash") for of in labels)

    def check_supervisor(self) -> None:
        """Nothing to check: the engine supervises the containers."""

    # ending and disturbing

    def _each(self, names: Collection[str], act: Callable[[str], Any]) -> list[Any]:
        """Call `act` for each name in parallel. Raises UserError when the engine refuses."""
        if not names:
            return []
        try:
            with ThreadPoolExecutor(len(names)) as pool:
                return list(pool.map(act, names))
        except docker_engine.Refused as reason:
            raise compose.explained(str(reason), self._directory) from None

    def _on(self, name: str, verb: str) -> Any:
        return self._post(f"/containers/{self._id(name)}/{verb}")

    def _id(self, name: str) -> str:
        return str(self._containers()[name]["Id"])

    def _act(self, names: Collection[str], states: Collection[str], act: Callable[[str], Any]) -> None:
        """Call `act` for each of these components whose container is in one of the states."""
        self._look_again()
        containers = self._containers()
        self._each([name for name in names if name in containers and containers[name]["State"] in states], act)
        self._look_again()

    def stop(self, names: Collection[str]) -> None:
        event_log.announce(self._directory, self.running() & set(names))
        self.unpause(names)  # a paused process would not receive the request to end
        self._act(names, RUNS, lambda name: self._on(name, f"stop?t={self._grace(name)}"))

    def _grace(self, name: str) -> int:
        product = products.of_component(self._profile, name)
        return round(product.grace_s) if product else SERVICE_GRACE

    def stop_to_restart(self, names: Collection[str]) -> None:
        """End the services, which then wait in their containers. A service that does not end in time is stopped with its container."""
        self.unpause(names)
        willing = sorted(self.running() & set(names) & self._services)
        event_log.announce(self._directory, willing)
        self._each(willing, lambda name: self._on(name, "kill?signal=SIGHUP"))
        deadline = time.monotonic() + ENDS_WITHIN
        while not all(map(self._waits, willing)) and time.monotonic() < deadline and self.running() & set(willing):
            time.sleep(LOOK)
        self.stop([name for name in names if not self._waits(name)])

    def kill(self, names: Collection[str]) -> None:
        self.unpause(names)

        def kill(name: str) -> None:
            with suppress(docker_engine.Refused):  # it has just ended by itself
                self._on(name, "kill?signal=SIGKILL")
            self._on(name, "wait")

        self._act(names, RUNS, kill)

    def pause(self, names: Collection[str]) -> None:
        self._act(names, {"running"}, self._pause)

    def _pause(self, name: str) -> None:
        """Pause with retries: the engine sometimes fails to freeze a container with many threads on a busy machine."""
        for attempt in range(FREEZE_TRIES):
            try:
                self._on(name, "pause")
                return
            except docker_engine.Refused as reason:
                if attempt == FREEZE_TRIES - 1 or "freeze" not in str(reason):
                    raise

    def unpause(self, names: Collection[str]) -> None:
        self._act(names, {"paused"}, lambda name: self._on(name, "unpause"))

    def cut(self, names: Collection[str]) -> None:
        self._act(names, RUNS, self._cut)

    def _cut(self, name: str) -> None:
        """Save the container's network settings before the disconnect: the engine forgets them, the aliases in particular."""
        for network, had in self._inspect(self._id(name))["NetworkSettings"]["Networks"].items():
            kept = {"network": network, "aliases": had["Aliases"] or [], "address": had["IPAddress"]}
            paths.write(self._cut_note(name), json.dumps(kept))
            self._post(f"/networks/{docker_engine.quoted(network)}/disconnect", {"Container": self._id(name)})

    def _cut_note(self, name: str) -> Path:
        return self._directory / "cut" / f"{name}.json"

    def join(self, names: Collection[str]) -> None:
        """Also joins containers that another program disconnected."""
        states = {*RUNS, "created", "exited"}
        containers = self._containers()
        lost = [n for n in names if n in containers and (self._cut_note(n).exists() or _halted(containers[n]) == CUT)]
        self._act(lost, states, self._join)

    def _had(self, name: str) -> dict[str, Any]:
        """Return the network settings from before labkit cut the container off, or compose's defaults."""
        usual = {"network": f"{self._project}_default", "aliases": [name], "address": ""}
        with suppress(OSError, Damaged):
            kept = paths.read_json(self._cut_note(name), dict, "labkit up")
            if all(isinstance(kept.get(key), type(value)) for key, value in usual.items()):
                return dict(kept)
        return usual

    def _join(self, name: str) -> None:
        had = self._had(name)
        if not self._containers()[name]["NetworkSettings"]["Networks"]:
            endpoint = {"Aliases": had["aliases"], **({"IPAMConfig": {"IPv4Address": had["address"]}} if had["address"] else {})}
            network = docker_engine.quoted(had["network"])
            self._post(f"/networks/{network}/connect", {"Container": self._id(name), "EndpointConfig": endpoint})
        self._cut_note(name).unlink(missing_ok=True)

    def down(self, *, data: bool) -> None:
        self._keep_logs()
        self.stop(self._services)
        self.stop(self._names)
        compose.remove(self._api, self._project, volumes=data)
        for note in (self._directory / "cut").glob("*.json"):
            with suppress(OSError):
                note.unlink()
        self._look_again()

    def _keep_logs(self) -> None:
        for name in self._containers():
            text = "".join(f"{line}\n" for line in self.log(name, KEPT_LINES))
            with suppress(OSError):  # on a full disk the logs are lost, but the containers are still removed
                paths.write(log_files.of(self._directory, name), text)

    def shell(self, component: str, variables: Collection[str]) -> list[str]:
        handed_on = [word for name in variables for word in ("--env", name)]  # the variables' values stay off the command line
        product = products.of_component(self._profile, component)
        begin = product.container_shell if product else ("sh",)
        return ["docker", "--host", self._engine.host, "exec", "--interactive", "--tty", *handed_on, self._id(component), *begin]


def _halted(container: dict[str, Any]) -> str:
    """Return PAUSED, CUT or "" for a container as the engine lists it."""
    if container["State"] not in RUNS:
        return ""
    return PAUSED if container["State"] == "paused" else "" if container["NetworkSettings"]["Networks"] else CUT


def _epoch(text: str) -> float:
    """Convert the engine's `2026-01-02T03:04:05.123456789Z` to epoch seconds."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return seconds + float(f"0.{fraction}") if fraction else seconds


def _event(event: dict[str, Any]) -> dict[str, Any]:
    attributes = event["Actor"]["Attributes"]
    found = {"time": event["timeNano"] / 1e9, "event": EVENTS[event["Action"]], "component": attributes["com.docker.compose.service"]}
    if "exitCode" in attributes:
        found |= dict(zip(("exit_code", "signal"), _code_and_signal(int(attributes["exitCode"])), strict=True))
    return found


def _code_and_signal(code: int) -> tuple[int | None, int | None]:
    """Split an exit code. Like a shell, the engine reports a signal as 128 plus its number. 143 stays a code: a JVM exits with it on
    SIGTERM.
    """
    return (None, code - 128) if 128 < code < 160 and code != 143 else (code, None)
