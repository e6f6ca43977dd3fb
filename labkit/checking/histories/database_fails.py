"""The database fails the requests of one person: each must be answered with 503, and nothing may come of it.

The tables are locked for a moment, the person's requests wait for them, and MySQL interrupts exactly these statements. Requests of others
are only a moment later. A service may also try again by itself: then its answer is as usual.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from labkit.checking.checks import Failed
from labkit.checking.documents import CENT
from labkit.checking.histories import pages
from labkit.checking.histories.act import Acting, accepted_as, cancelled, decided
from labkit.checking.rolled_back import kill, locked
from labkit.checking.rules import APPROVED
from labkit.checking.shop import Customer
from labkit.checking.waiting import WITHIN_S
from labkit.stack import sql
from labkit.stack.model import Stack

LOOK_S = 0.01
WAITS = "waiting for table"  # the state of a statement that waits for a locked table, in MySQL and in MariaDB


async def database_fails(person: Acting) -> None:
    """Let the database fail each kind of request once."""
    trial = person.trial
    await pages.of_orders(trial, person.id, person.placed)
    person.said.append("the database fails the requests")
    placed = next((one for one in person.placed if trial.books.outcome(one.order) == APPROVED), None)
    reads = [f"/orders/customer/{person.id}", "/orders", "/customers"]
    reads += [f"/orders/{person.placed[-1].order.id}"] if person.placed else []
    reads += [f"/customers/{person.id}"] if isinstance(person.customer, Customer) else []
    total = max(CENT, (person.left / 7).quantize(CENT))
    own = {person.id, *(one.order.id for one in person.placed)}
    async with _failing(trial.stack, own) as failing:
        read = [asyncio.ensure_future(trial.get(path)) for path in reads]
        place = asyncio.ensure_future(trial.shop.place_order(person.customer, str(total), alike=True))
        cancel = asyncio.ensure_future(trial.shop.cancel_order(placed.order.id)) if placed else None
        await failing.until_done([*read, place, *([cancel] if cancel else [])])
    for path, answer in zip(reads, read, strict=True):
        _require_503(f"GET {path}", (await answer)[0])
    order = await place
    if order.id is not None:
        await decided(person, [accepted_as(person, order)])
    else:
        _require_503("POST /orders", trial.shop.request("create_order", customer_id=person.id)["status"])
    if placed is not None and cancel is not None:
        if await cancel == "ok":
            await cancelled(person, placed)
        else:
            _require_503(f"POST /orders/{placed.order.id}/cancel", trial.shop.request("cancel_order", order_id=placed.order.id)["status"])


def _require_503(request: str, status: int | None) -> None:
    if status is not None and status != 503 and not 200 <= status < 300:
        raise Failed(
            f"{request} answers {status} when the database fails its statement.",
            expected="503: the client can try again",
            found=str(status),
            so="an error of the database is shown as if the service were broken.",
            next_step="is the work inside answering_503? see services/sql_service.py",
        )


class _Failing:
    """The locked tables, and how statements that wait for them are interrupted."""

    def __init__(self, stack: Stack, own: set[int]) -> None:
        self._stack, self._own = stack, re.compile(rf"\b(?:{'|'.join(map(str, own))})\b")

    async def until_done(self, requests: list[asyncio.Future[Any]]) -> None:
        """Interrupt the statements of these requests until each request is answered, or until time is up."""
        ends = time.monotonic() + WITHIN_S
        while not all(request.done() for request in requests) and time.monotonic() < ends:
            await asyncio.to_thread(self._interrupt)
            await asyncio.sleep(LOOK_S)

    def _interrupt(self) -> None:
        with sql.connected(self._stack.mysql) as cursor:
            cursor.execute("SELECT id, state, info FROM information_schema.processlist WHERE info IS NOT NULL")
            for connection, state, info in cursor.fetchall():
                if WAITS in str(state).lower() and self._is_own(str(info)):
                    kill(cursor, "QUERY", connection)

    def _is_own(self, statement: str) -> bool:
        """Return whether a statement names one of the ids, or reads a whole table, as only a list of everything does."""
        reads_all = statement.lstrip().upper().startswith("SELECT") and " WHERE " not in statement.upper()
        return reads_all or bool(self._own.search(statement))


@asynccontextmanager
async def _failing(stack: Stack, own: set[int]) -> AsyncIterator[_Failing]:
    """Lock the tables of customers and orders while the block runs."""
    tables = [str(table) for table in stack.profile.tables if table.one in ("customer", "order")]

    lock = f"LOCK TABLES {', '.join(f'{table} WRITE' for table in tables)}"
    async with locked(stack, "the tables of customers and orders", ("SET SESSION lock_wait_timeout = 5", []), (lock, [])):
        yield _Failing(stack, own)
