"""The Runtime interface for containers."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from labkit import docker_engine
from labkit.account import Account
from labkit.errors import UserError
from labkit.preparation_report import Preparing
from labkit.stack import accounts, compose, event_log, products
from labkit.stack.docker import events, logs, network, restart, status
from labkit.stack.docker.containers import COMPONENT, CONFIG_HASH, RUNNING_STATES, Container, Containers
from labkit.stack.model import Stack
from labkit.stack.runtime import DOCKER, ComponentStatus, End
from labkit.system.model import Profile

PAUSE_TRIES = 10


class Docker:
    name = DOCKER
    extra: Sequence[str] = ()
    unsupported: Mapping[str, UserError] = {}

    def __init__(self, directory: Path, profile: Profile) -> None:
        self._directory = directory
        self._profile = profile
        self._names = profile.components
        self._containers = Containers(directory, profile)

    # inspecting

    def running(self) -> set[str]:
        """Raises NoEngine when the engine accepts connections but does not answer."""
        return status.running(self._containers)

    def runs(self, component: str) -> bool:
        return component in self.running()

    def stopped_holding_ports(self) -> set[str]:
        return status.waiting(self._containers)

    def status(self) -> dict[str, ComponentStatus]:
        listed = self._containers.listed_if_engine_runs()
        found = self._containers.for_each(self._names, lambda name: status.of_container(self._containers, listed.get(name)))
        return dict(zip(self._names, found, strict=True))

    def memory(self) -> dict[str, int]:
        names = sorted(self.running(), key=self._names.index)
        sizes = self._containers.for_each(names, lambda name: status.memory_of(self._containers, name))
        return {name: size for name, size in zip(names, sizes, strict=True) if size is not None}

    def owns_port(self, component: str, port: int) -> bool:
        return True  # the engine assigns a port to one container only, and refuses a port in use

    def last_end(self, component: str, since: float) -> End | None:
        return status.last_end(self._containers, component, since)

    def start_failed(self, component: str, since: float) -> End | None:
        return self.last_end(component, since)  # the engine answers a stop only after it has seen the end

    def events(self, since: float) -> list[dict[str, Any]]:
        return events.since(self._containers, since)

    def why_events_missing(self, since: float) -> str | None:
        return events.why_missing(self._containers, since)

    def halted(self) -> dict[str, str]:
        return {name: how for name, container in self._containers.listed().items() if (how := status.halted(container))}

    def log(self, component: str, count: int | None) -> list[str]:
        return logs.log(self._containers, component, count)

    def process_log(self, component: str, count: int, ended: float | None = None) -> list[str] | None:
        return logs.process_log(self._containers, component, count, ended)

    def processor_percent(self, component: str) -> float | None:
        return status.processor_percent(self._containers, component)

    def follow(self, components: Collection[str]) -> Iterator[tuple[str, str]]:
        return logs.follow(self._containers, components)

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
        compose.refuse_other_components(self._profile)
        if set(self._names) - self._containers.listed().keys():
            compose.check_version()
        from labkit.images import catalog, pull

        images = catalog.chosen(self._containers.engine)
        if not alive:
            compose.refuse_too_little_memory(self._containers.engine, images, self._profile)
        if set(self._names) - set(alive):
            pull.get_missing(self._containers.engine, images, view)
        self._images = images
        return {kind: choice.description for kind, choice in images.items() if kind != "services"}

    def plan(self, stack: Stack, alive: Collection[str]) -> set[str]:
        references = {kind: choice.reference for kind, choice in self._images.items()}
        compose.write_settings(stack, references, partial(network.subnet, self._containers))
        if not alive:
            return set()
        hashes = compose.config_hashes(self._directory)
        return {name for name in alive if self._containers.listed()[name]["Labels"][CONFIG_HASH] != hashes[name]}

    def first_access(self, stack: Stack) -> tuple[Account, Account]:
        """provision.sql creates the accounts: the image runs it before it listens. A volume from an earlier labkit still has the published
        passwords.
        """
        admin = stack.mysql
        return admin, replace(admin, password=accounts.PUBLISHED.mysql(admin.user))

    def start(self, names: Collection[str]) -> float:
        since = time.time()
        listed = self._containers.listed()
        waiting = [name for name in names if name in self.stopped_holding_ports() and self._are_current([listed[name]])]
        # their containers run, so compose would leave them alone
        self._containers.for_each(waiting, lambda name: restart.begin_again(self._containers, name))
        others = [name for name in names if name not in waiting]
        for name in others:
            restart.forget(self._containers, name)
        if others and listed.keys() >= set(others) and self._are_current([listed[name] for name in others]):
            # quicker than compose, which checks everything
            self._containers.for_each(others, lambda name: self._containers.act(name, "start"))
        elif others:
            compose.up(self._directory, others)
        self._containers.forget_list()
        return since

    def _are_current(self, containers: Collection[Container]) -> bool:
        """Whether the containers were created with the current configuration."""
        hashes = compose.config_hashes(self._directory)
        labels = [container["Labels"] for container in containers]
        return all(hashes.get(of[COMPONENT]) == of.get(CONFIG_HASH) for of in labels)

    def check_supervisor(self) -> None:
        """Nothing to check: the engine supervises the containers."""

    # ending and disturbing

    def stop(self, names: Collection[str]) -> None:
        event_log.announce(self._directory, self.running() & set(names))
        self.unpause(names)  # a paused process would not receive the request to end
        self._containers.for_each_in(
            RUNNING_STATES, names, lambda name: self._containers.act(name, f"stop?t={round(products.grace_s(self._profile, name))}")
        )

    def stop_to_restart(self, names: Collection[str]) -> None:
        """End the services, which then wait in their containers. A service that does not end in time is stopped with its container."""
        self.unpause(names)
        willing = sorted(self.running() & set(names) & self._containers.services)
        event_log.announce(self._directory, willing)
        restart.end_and_wait(self._containers, willing)
        self.stop([name for name in names if not status.waits(self._containers, name)])

    def kill(self, names: Collection[str]) -> None:
        self.unpause(names)

        def kill(name: str) -> None:
            with suppress(docker_engine.Refused):  # it has just ended by itself
                self._containers.act(name, "kill?signal=SIGKILL")
            self._containers.act(name, "wait")

        self._containers.for_each_in(RUNNING_STATES, names, kill)

    def pause(self, names: Collection[str]) -> None:
        self._containers.for_each_in({"running"}, names, self._pause)

    def _pause(self, name: str) -> None:
        """Pause with retries: the engine sometimes fails to freeze a container with many threads on a busy machine."""
        for attempt in range(PAUSE_TRIES):
            try:
                self._containers.act(name, "pause")
                return
            except docker_engine.Refused as reason:
                if attempt == PAUSE_TRIES - 1 or "freeze" not in str(reason):
                    raise

    def unpause(self, names: Collection[str]) -> None:
        self._containers.for_each_in({"paused"}, names, lambda name: self._containers.act(name, "unpause"))

    def cut(self, names: Collection[str]) -> None:
        network.cut(self._containers, names)

    def join(self, names: Collection[str]) -> None:
        network.join(self._containers, names)

    def down(self, *, data: bool) -> None:
        logs.save(self._containers)
        self.stop(self._containers.services)
        self.stop(self._names)
        compose.remove(self._containers.sdk, self._containers.project, volumes=data)
        network.forget_cuts(self._containers)
        self._containers.forget_list()

    def shell(self, component: str, variables: Collection[str]) -> list[str]:
        passed_on = [word for name in variables for word in ("--env", name)]  # the variables' values stay off the command line
        product = products.of_component(self._profile, component)
        begin = product.container_shell if product else ("sh",)
        engine = ["docker", "--host", self._containers.engine.host]
        return [*engine, "exec", "--interactive", "--tty", *passed_on, self._containers.id_of(component), *begin]
