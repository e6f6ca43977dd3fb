"""Making the database fail a service: roll back a transaction that is about to be committed, by ending its connection as a failover would,
or interrupt a statement that waits for a lock."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pymysql

from labkit.checking.checks import NotJudged
from labkit.checking.waiting import WITHIN_S, last_seen, pause
from labkit.faults import specify
from labkit.faults.engine import Wanted
from labkit.faults.ledger import Fault
from labkit.stack import sql, transactions
from labkit.stack.model import Stack

if TYPE_CHECKING:
    from labkit.checking.trial import Trial

WANTED_S = 1.0  # a service that needs no lock is not waited for longer than this
NOBODY_ELSE = 1_000  # the barrier never opens: the first process waits until the barrier is removed


def before_commit(component: str, work: str) -> Wanted:
    """Return a barrier at which the service waits, with all statements sent except COMMIT."""
    return specify.barrier(component, f"{work}.after_outbox_insert", parties=NOBODY_ELSE, timeout_s=30.0)


async def roll_back(trial: "Trial", waiting: Fault, *, past: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the service is at the barrier, end its connection, and let it continue: it must redo its work. Raises Failed if the
    service does not pass the barrier's place, NotJudged if it had no transaction to roll back."""
    await trial.faults.hit(waiting, "arrived", past=past)
    if not await asyncio.to_thread(_end_transactions, trial.stack, waiting.target):
        raise NotJudged(f"{waiting.target} waits before its COMMIT, but MySQL has no transaction of it.", next_step="labkit status")
    await trial.faults.heal(waiting)


def _end_transactions(stack: Stack, component: str) -> int:
    """End the component's open transactions and return their number."""
    with sql.connected(stack.mysql) as cursor:
        own = _connections(stack, component, cursor)
        found = [t.connection for t in transactions.open_transactions(cursor) if t.connection in own and t.locked_rows]
        for connection in found:
            kill(cursor, "CONNECTION", connection)
        return len(found)


def _connections(stack: Stack, component: str, cursor: Any) -> set[int]:
    """Return the ids of the component's connections."""
    accounts = [account for account, owner in stack.profile.workers.items() if owner == component]
    cursor.execute("SELECT id FROM information_schema.processlist WHERE user IN %s", [accounts])
    return {int(row[0]) for row in cursor.fetchall()}


@asynccontextmanager
async def held_row(trial: "Trial", one: str, key: int) -> AsyncIterator["HeldRow"]:
    """Lock a row while the block runs: `customer`, `order`. The lock ends with the connection, so it never stays."""
    table = next(table for table in trial.stack.profile.tables if table.one == one)
    column = next(column.source for column in table.columns if column.name == table.key[-1])

    statement = f"SELECT 1 FROM {table} WHERE {column} = %s FOR UPDATE"
    async with locked(trial.stack, f"the row of {one} {key}", ("BEGIN", []), (statement, [key])):
        yield HeldRow(trial, f"the row of {one} {key}")


@asynccontextmanager
async def locked(stack: Stack, what: str, *statements: tuple[str, list[Any]]) -> AsyncIterator[None]:
    """Hold the locks of these statements, each with its values, while the block runs. They end with their connection, so they never stay.
    Raises NotJudged."""

    def lock() -> Any:
        at = stack.mysql
        connection = sql.connect(host=at.host, port=at.port, user=at.user, password=at.password, connect_timeout=5)
        with connection.cursor() as cursor:
            for statement, values in statements:
                cursor.execute(statement, values)
        return connection

    try:
        connection = await asyncio.to_thread(lock)
    except pymysql.MySQLError as error:
        raise NotJudged(f"MySQL does not lock {what}: {error.args[-1]}.", next_step="labkit status") from error
    try:
        yield
    finally:
        await asyncio.to_thread(connection.close)


class HeldRow:
    """A row that labkit has locked."""

    def __init__(self, trial: "Trial", said: str) -> None:
        self._trial, self._said = trial, said

    async def interrupt(self, component: str, *, past: Callable[[], Awaitable[bool]]) -> bool:
        """Wait until a component waits for the row, and interrupt its statement: the handler gets an error, and must let its transaction be
        rolled back. Return False if the work was done without the row (`past`). Raises NotJudged if neither comes."""
        began = time.monotonic()
        while not await asyncio.to_thread(_interrupt, self._trial.stack, component):
            if await past():
                return False
            if time.monotonic() > began + WITHIN_S:
                raise NotJudged(f"Waited {WITHIN_S:g} s until {component} needs {self._said}; it did not.", next_step="labkit status")
            await pause(began)
        return True

    async def wanted(self, component: str, count: int) -> None:
        """Wait until so many statements of a component wait for a lock, or until it is clear that they do not."""

        async def waiting() -> int:
            return await asyncio.to_thread(_waiting, self._trial.stack, component)

        await last_seen(waiting, lambda found: found >= count, within_s=WANTED_S)


def _interrupt(stack: Stack, component: str) -> bool:
    """Interrupt the statements with which a component waits for a lock. Return whether there was one."""
    with sql.connected(stack.mysql) as cursor:
        waiting = _with_lock_wait(stack, component, cursor)
        for connection in waiting:
            kill(cursor, "QUERY", connection)
        return bool(waiting)


def _waiting(stack: Stack, component: str) -> int:
    """Return how many statements of a component wait for a lock."""
    with sql.connected(stack.mysql) as cursor:
        return len(_with_lock_wait(stack, component, cursor))


def _with_lock_wait(stack: Stack, component: str, cursor: Any) -> list[int]:
    own = _connections(stack, component, cursor)
    return [t.connection for t in transactions.open_transactions(cursor) if t.connection in own and t.waits]


def kill(cursor: Any, what: str, connection: int) -> None:
    """End a CONNECTION, or its present QUERY. It may have ended by itself."""
    with suppress(pymysql.MySQLError):
        cursor.execute(f"KILL {what} {connection}")
