"""Making the database roll back a transaction that a service is about to commit, by ending its connection as a failover would."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pymysql

from labkit.checking.checks import NotJudged
from labkit.faults import specify
from labkit.faults.engine import Wanted
from labkit.faults.ledger import Fault
from labkit.stack import sql, transactions
from labkit.stack.model import Stack

if TYPE_CHECKING:
    from labkit.checking.trial import Trial

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
    accounts = [account for account, owner in stack.profile.workers.items() if owner == component]
    with sql.connected(stack.mysql) as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user IN %s", [accounts])
        own = {int(row[0]) for row in cursor.fetchall()}
        found = [t.connection for t in transactions.open_transactions(cursor) if t.connection in own and t.locked_rows]
        for connection in found:
            with suppress(pymysql.MySQLError):  # it may have ended by itself
                cursor.execute(f"KILL CONNECTION {connection}")
        return len(found)
