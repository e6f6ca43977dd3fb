"""Readiness: a service is UP when all its dependencies answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.responses import Response

from services.web.problem import reply

PROBE_TIMEOUT = 2.0  # seconds
PROBE_EVERY = 0.5  # seconds; more frequent requests get the last answer
PROBE_EVERY_WHILE_DOWN = 0.05


class Health:
    """The state of each dependency, set by the service or probed on request. The components named here are DOWN until then."""

    def __init__(self, *components: str) -> None:
        self._states: dict[str, tuple[bool, str]] = dict.fromkeys(components, (False, "not reached yet"))
        self._probes: dict[str, Callable[[], Awaitable[None]]] = {}
        self._probed_at = 0.0

    def set(self, component: str, up: bool, detail: str = "") -> None:
        """Record whether `component` answers; `detail` says why not."""
        self._states[component] = (up, detail)

    def probe(self, component: str, ask: Callable[[], Awaitable[None]]) -> None:
        """Register a probe, which runs when health is requested. `ask` returns when `component` is well and raises when it is not."""
        self._probes[component] = ask
        self._states.setdefault(component, (False, "not reached yet"))

    @property
    def ready(self) -> bool:
        return all(up for up, _ in self._states.values())

    async def refresh(self) -> bool:
        """Run all probes concurrently, for at most 2 s. Returns whether everything is up."""
        every = PROBE_EVERY if self.ready else PROBE_EVERY_WHILE_DOWN
        if self._probes and time.monotonic() - self._probed_at > every:
            self._probed_at = time.monotonic()
            await asyncio.gather(*(self._run(component, ask) for component, ask in self._probes.items()))
        return self.ready

    async def _run(self, component: str, ask: Callable[[], Awaitable[None]]) -> None:
        try:
            await asyncio.wait_for(ask(), PROBE_TIMEOUT)
        except Exception as error:
            self.set(component, False, "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__)
        else:
            self.set(component, True)

    async def response(self) -> Response:
        """Answers 200 or 503 with `{"status":"UP"|"DOWN","components":{name:{"status","detail"?}}}`."""
        ready = await self.refresh()
        components = {}
        for component, (up, detail) in self._states.items():
            components[component] = {"status": "UP" if up else "DOWN"} | ({"detail": detail} if detail else {})
        return reply({"status": "UP" if ready else "DOWN", "components": components}, 200 if ready else 503)
