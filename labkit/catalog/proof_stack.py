"""A separate stack on which solutions are judged: right ones, and ones with a mistake."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from labkit import interrupts
from labkit.catalog import trees
from labkit.catalog.labs import Lab
from labkit.catalog.proof import SEED, Files
from labkit.catalog.run import judge
from labkit.checking.checks import Check, CheckResult
from labkit.checking.histories.exam import PlayedHistory, histories
from labkit.checking.session import session
from labkit.stack import lifecycle, runtimes, sources, sql, state
from labkit.stack.component_table import SilentTable
from labkit.stack.model import Stack
from labkit.system.model import Profile


@contextmanager
def proof_stack(name: str, runtime: str | None) -> "Iterator[ProofStack]":
    """Yield a stack whose services run from a folder of its own. The stack and its data are removed at the end."""
    interrupts.on_termination()
    runtimes.refuse_unknown(runtime)
    taken = runtimes.choose(runtime, None).runtime
    with tempfile.TemporaryDirectory(prefix="labkit-author-") as folder, state.exclusive(name, "author") as directory:
        files = Files(Path(folder))
        files.become(trees.reference())
        lifecycle.take_down(directory, state.find(name), data=True)  # remains of a killed run
        try:
            yield ProofStack(name, directory, files, taken)
        finally:
            interrupts.ignore()
            lifecycle.take_down(directory, state.find(name), data=True)


class ProofStack:
    """Judges the solution that is in `files`. Between two solutions, only the services whose files differ are restarted."""

    def __init__(self, name: str, directory: Path, files: Files, runtime: str) -> None:
        self.name, self.files = name, files
        self._directory, self._runtime = directory, runtime

    def bring_up(self, lab: Lab) -> None:
        """Bring up the components of the lab's profile, with files on which all of them start."""
        known, wanted = state.find(self.name), state.profile_of(lab.profile)
        if known is None or known.profile != wanted:
            lifecycle.take_down(self._directory, known, data=True)
            self.files.become(trees.solved(lab))
            self._brought(wanted)

    def renew(self, lab: Lab) -> None:
        """Replace the stack and its data: an earlier solution may have left something behind."""
        lifecycle.take_down(self._directory, state.find(self.name), data=True)
        self.bring_up(lab)

    def judged(
        self, lab: Lab, checks: Sequence[Check], seed: int = SEED, *, enough: Callable[[CheckResult], bool] = lambda _: False
    ) -> list[CheckResult]:
        """Restart the services whose files differ, then judge. Stop at the first outcome that is `enough`. Raises UserError if a service
        does not start."""
        outcomes, _ = asyncio.run(judge(self._as_the_files_are(), lab, checks, seed, enough=enough))
        return outcomes

    def examined(self, seed: int, seconds: float) -> PlayedHistory | None:
        """Examine the solution. Return the history that failed or could not be judged, or None."""

        async def examined(stack: Stack) -> PlayedHistory | None:
            async with session(stack, "labkit author") as run:
                return await histories(run, seed, seconds, lambda _: None)

        return asyncio.run(examined(self._as_the_files_are()))

    def execute(self, statements: Sequence[str]) -> None:
        """Execute SQL as the administrator."""
        with sql.connected(state.load(self.name).mysql) as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _as_the_files_are(self) -> Stack:
        stack = state.load(self.name)
        wanted = sources.digests(self.files.folder, stack.services)
        stale = [name for name in stack.services if stack[name].digest != wanted[name]]
        return self._brought(stack.profile, stale) if stale else stack

    def _brought(self, profile: Profile, restart: Sequence[str] = ()) -> Stack:
        brought = lifecycle.bring_up(
            self._directory, self.name, self.files.folder, SilentTable(), runtime=self._runtime, profile=profile, restart=restart
        )
        return brought.stack
