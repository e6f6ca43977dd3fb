"""A stack's containers: find them, and send the engine requests about them."""

import json
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from labkit import docker_engine
from labkit.stack import compose
from labkit.system.model import Profile

GET_TIMEOUT_S = 10.0
POST_TIMEOUT_S = 60.0
LIST_VALID_S = 0.1  # how long a list of the containers stays valid
PROJECT, COMPONENT, CONFIG_HASH = "com.docker.compose.project", "com.docker.compose.service", "com.docker.compose.config-hash"  # labels
RUNNING_STATES = frozenset({"running", "paused", "restarting"})  # the engine's words

Container = dict[str, Any]
"""A container as the engine lists it."""


class Containers:
    """The containers by component, and the connection to their engine. The first request looks for the engine.

    Every request raises NoEngine when the engine has stopped or does not answer.
    """

    def __init__(self, directory: Path, profile: Profile) -> None:
        self.directory = directory
        self.project = compose.project_of(directory)
        self.services = frozenset(service.name for service in profile.services)
        self._lock = threading.Lock()
        self._list: dict[str, Container] = {}
        self._listed_at = 0.0

    @cached_property
    def engine(self) -> docker_engine.Engine:
        return docker_engine.find()

    @cached_property
    def sdk(self) -> Any:
        """The docker SDK's low-level client. Its import takes longer than a request."""
        return docker_engine.client(self.engine).api

    # finding

    def listed(self) -> dict[str, Container]:
        """Return the containers, running or not. Asks the engine at most every LIST_VALID_S."""
        with self._lock:
            if time.monotonic() - self._listed_at > LIST_VALID_S:
                query = json.dumps({"label": [f"{PROJECT}={self.project}"]})
                found = self.get(f"/containers/json?all=1&filters={docker_engine.quoted(query)}")
                self._list = {container["Labels"][COMPONENT]: container for container in found}
                self._listed_at = time.monotonic()
            return self._list

    def listed_if_engine_runs(self) -> dict[str, Container]:
        """Return {} when the engine has stopped: containers do not outlive their engine.

        Raises NoEngine when the engine accepts connections but does not answer.
        """
        try:
            return self.listed()
        except docker_engine.NoEngine as error:
            if error.kind == docker_engine.SILENT:
                raise
            return {}

    def forget_list(self) -> None:
        self._listed_at = 0.0

    def id_of(self, component: str) -> str:
        return str(self.listed()[component]["Id"])

    def inspect(self, container_id: str) -> Any:
        return self.get(f"/containers/{container_id}/json")

    # requests

    def get(self, path: str) -> Any:
        """GET from the engine's API. Raises OSError for an error status."""
        try:
            return docker_engine.get(self.engine.host, path, timeout=GET_TIMEOUT_S)
        except TimeoutError:
            raise docker_engine.silent(str(self.engine.socket)) from None
        except (ConnectionError, FileNotFoundError) as error:
            raise _stopped(error) from None

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """POST to the engine's API. Raises Refused."""
        try:
            return docker_engine.post(self.engine.host, path, body, timeout=POST_TIMEOUT_S)
        except TimeoutError:
            raise docker_engine.silent(str(self.engine.socket)) from None
        except OSError as error:
            raise _stopped(error) from None

    def act(self, component: str, action: str) -> Any:
        """Send one container an action of the engine's API, for example `pause`. Raises Refused."""
        return self.post(f"/containers/{self.id_of(component)}/{action}")

    # several components at once

    def for_each(self, components: Collection[str], act: Callable[[str], Any]) -> list[Any]:
        """Call `act` for each component in parallel. Raises UserError when the engine refuses."""
        if not components:
            return []
        try:
            with ThreadPoolExecutor(len(components)) as pool:
                return [*pool.map(act, components)]
        except docker_engine.Refused as reason:
            raise compose.explained(str(reason), self.directory) from None

    def for_each_in(self, states: Collection[str], components: Collection[str], act: Callable[[str], Any]) -> None:
        """Call `act` for each of these components whose container is in one of the engine's states."""
        self.forget_list()
        listed = self.listed()
        self.for_each([name for name in components if name in listed and listed[name]["State"] in states], act)
        self.forget_list()


def _stopped(error: OSError) -> docker_engine.NoEngine:
    return docker_engine.NoEngine(docker_engine.STOPPED, f"The Docker engine does not answer any more: {error}.", "labkit doctor")
