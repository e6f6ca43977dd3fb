"""One run on one stack: calls of its REST API, faults, and readings of its stores. It leaves nothing behind.

    async with session(stack, "labkit chaos") as run:
        ada = await run.shop.create_customer("Ada", "15.00")
        crash = await run.faults.apply(faults.crash("orders", "order.create.after_commit_before_publish"))
        order = await run.shop.place_order(ada, "12.34")  # its outcome is unknown: the service crashed during the call
        await run.faults.fired(crash)                     # proven by the service's record and by its parent process
        await run.faults.heal(crash)                      # starts the service again

Every wait is bounded; its error says what was awaited and what was seen instead. When the run ends in any way, its faults are healed, the
most recent first. If its process is killed, the next labkit command heals them.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from labkit.checking.outboxes import Outboxes
from labkit.checking.run_faults import RunFaults
from labkit.checking.shop import Shop
from labkit.faults.ledger import SCENARIO, Owner, this_process
from labkit.stack import run_lock
from labkit.stack.model import Stack


class Session:
    """The tools of a run."""

    def __init__(self, stack: Stack, command: str, *, owner: Owner | None = None) -> None:
        self.stack = stack
        self.shop = Shop(stack)
        self.faults = RunFaults(stack, owner or this_process(SCENARIO, command))
        self.outboxes = Outboxes(stack)

    async def close(self) -> None:
        await self.shop.close()


@asynccontextmanager
async def session(stack: Stack, command: str, *, owner: Owner | None = None, faults_stay: bool = False) -> AsyncIterator[Session]:
    """Open a run. `command` is shown to others who want to use the stack meanwhile. All faults of the run are healed at the end; with
    `faults_stay`, only after an error, Ctrl-C or SIGTERM. Raises UserError if another run or a load is using the stack."""
    with run_lock.run(stack, command), _ended_by_sigterm():
        run = Session(stack, command, owner=owner)
        try:
            yield run
        except BaseException:
            await _to_the_end(run.faults.heal_all())
            raise
        else:
            if not faults_stay:
                await _to_the_end(run.faults.heal_all())
        finally:
            await run.close()


async def _to_the_end(work: Awaitable[None]) -> None:
    """Wait for `work` to finish, even if a second Ctrl-C cancels the task."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Make SIGTERM end the run as Ctrl-C does."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGTERM)
    try:
        if task is not None:
            loop.add_signal_handler(signal.SIGTERM, task.cancel)
        yield
    finally:
        with suppress(ValueError, RuntimeError):
            loop.remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, before)  # asyncio sets the default, which ends the process at once
