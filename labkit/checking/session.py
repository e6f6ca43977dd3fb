"""One run on one stack: calls of its REST API, faults, and looks at its stores. It leaves nothing behind.

    async with session(stack, "labkit chaos") as run:
        ada = await run.shop.create_customer("Ada", "15.00")
        crash = await run.faults.apply(faults.crash("orders", "order.create.after_commit_before_publish"))
        order = await run.shop.place_order(ada, "12.34")  # its outcome is unknown: the service ended over it
        await run.faults.fired(crash)                     # its own record, and how its parent saw it end
        await run.faults.heal(crash)                      # starts it again

Every wait is bounded; its error says what was awaited and what was seen instead. On leaving, by whatever way, the faults of the run are
healed, the last one first; if its process is killed, the next labkit command heals them.
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
    """What a run works with."""

    def __init__(self, stack: Stack, command: str, *, owner: Owner | None = None) -> None:
        self.stack = stack
        self.shop = Shop(stack)
        self.faults = RunFaults(stack, owner or this_process(SCENARIO, command))
        self.outboxes = Outboxes(stack)

    async def close(self) -> None:
        await self.shop.close()


@asynccontextmanager
async def session(stack: Stack, command: str, *, owner: Owner | None = None, faults_stay: bool = False) -> AsyncIterator[Session]:
    """`command` is what others are shown who want the stack meanwhile. An error, Ctrl-C or SIGTERM heals the run's faults too; with
    `faults_stay` only these do. Raises UserError when another run or a load is at work on the stack."""
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
    """A second Ctrl-C does not stop the healing."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    try:
        if task is not None:
            loop.add_signal_handler(signal.SIGTERM, task.cancel)
        yield
    finally:
        with suppress(ValueError, RuntimeError):
            loop.remove_signal_handler(signal.SIGTERM)
