"""Local transactions on one schema of MySQL or MariaDB, and the messages published in them.

A `Transaction` collects statements that return nothing. It sends them with the next statement that returns something, or with the COMMIT:
the same statements in the same order, in fewer round trips.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from services.messaging import outbox
from services.messaging.events import DomainEvent
from services.messaging.ids import IdGenerator
from services.mysql.connection import LOCK_CODES, MysqlSettings, TransientError, connect, is_transient
from services.workshop.armed import armed
from services.workshop.failpoint import failpoint
from services.workshop.fault import NOTHING, About

WORK_POINTS = ("between_read_and_write", "after_outbox_insert", "after_publish_before_commit", "after_commit_before_publish")


def declare_work(*names: str) -> None:
    """Declare units of work. Each passes the failpoints `<name>.<one of WORK_POINTS>`."""
    armed.declare(*(f"{name}.{point}" for name in names for point in WORK_POINTS))


class Transaction:
    """One local transaction. State changes and the messages about them are committed together or not at all."""

    def __init__(self, cursor: Any, ids: IdGenerator, work: str = "", about: About = NOTHING) -> None:
        """`work` names the unit of work and `about` the message that it processes; both are for failpoints."""
        self._cursor = cursor
        self._ids = ids
        self._work = work
        self._has_read: bool | None = False  # None: has read, and written since
        self.about = about
        self._unsent: list[str] = ["BEGIN"]
        self._expected: dict[int, tuple[int, Exception]] = {}
        self._messages = 0
        self.commit_was_sent = False
        self.locked: dict[tuple[type, int], Any] = {}
        """What this transaction has locked, by type and id, so that a batch can lock everything with one statement. Pattern: identity map,
        https://martinfowler.com/eaaCatalog/identityMap.html"""

    def write(self, sql: str, *values: object) -> None:
        """Add a statement whose result is not needed. It is sent with the next statement or the COMMIT. `%s` stands for a value."""
        self._unsent.append(self._cursor.mogrify(sql, values))

    def expect(self, rows: int, otherwise: Exception) -> None:
        """Require that the last `write` changes exactly `rows` rows. Otherwise the next statement that is sent, or the COMMIT, raises
        `otherwise`. Nothing written on that assumption is committed, and nothing read on it is returned."""
        self._expected[len(self._unsent) - 1] = rows, otherwise

    async def run(self, sql: str, *values: object) -> int:
        """Run a changing statement now. Returns the number of changed rows."""
        await self._about_to_write()
        await self._send(self._cursor.mogrify(sql, values))
        return int(self._cursor.rowcount)

    async def insert(self, sql: str, *values: object) -> int:
        """Insert one row now. Returns the id that the database assigned."""
        await self._about_to_write()
        await self._send(self._cursor.mogrify(sql, values))
        return int(self._cursor.lastrowid)

    async def row(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        await self._about_to_read()
        await self._send(self._cursor.mogrify(sql, values))
        row: tuple[Any, ...] | None = await self._cursor.fetchone()
        return row

    async def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        await self._about_to_read()
        await self._send(self._cursor.mogrify(sql, values))
        return list(await self._cursor.fetchall())

    async def results(self, *queries: tuple[str, Sequence[object]]) -> list[list[tuple[Any, ...]]]:
        """Returns the rows of several queries, in the order of the queries. Takes one round trip."""
        await self._about_to_read()
        first, *others = [self._cursor.mogrify(sql, tuple(values)) for sql, values in queries]
        await self._send(first, *others)
        results = [list(await self._cursor.fetchall())]
        for _ in others:
            await self._cursor.nextset()
            results.append(list(await self._cursor.fetchall()))
        return results

    def publish(self, event: DomainEvent) -> None:
        """Publish an event with this transaction. It becomes an outbox row, which the relay sends to the broker after the commit."""
        outbox.insert_event(self, self._ids, event)

    def publish_message(self, channel: str, partition_id: str, headers: dict[str, str], payload: str) -> None:
        outbox.insert_message(self, self._ids, channel, partition_id, headers, payload)

    @property
    def has_messages(self) -> bool:
        return self._messages > 0

    def note_message(self, message_id: str | None = None) -> None:
        self._messages += 1
        if self.about is NOTHING:
            self.about = About(message_id=message_id)

    async def flush(self) -> None:
        """Send all pending statements. Raises the exception of a failed `expect`."""
        if self._unsent:
            await self._send("DO 0")

    async def _about_to_read(self) -> None:
        if self._has_read and len(self._unsent) > 0:
            await self._about_to_write()  # pending statements go first
        if self._has_read is not None:
            self._has_read = True

    async def _about_to_write(self) -> None:
        """Pass the failpoint between the first read of this unit of work and the first write after it."""
        if self._work and armed.points and self._has_read:
            self._has_read = None
            await failpoint(f"{self._work}.between_read_and_write", self.about)

    async def _send(self, statement: str, *more: str) -> None:
        """Send the pending statements and these. Afterwards the cursor is at the result of `statement`."""
        behind, expected = len(self._unsent), self._expected
        text = ";\n".join([*self._unsent, statement, *more])
        self._unsent, self._expected = [], {}
        await self._cursor.execute(text)
        unmet: Exception | None = None
        for index in range(behind):
            if index in expected and self._cursor.rowcount != expected[index][0]:
                unmet = unmet or expected[index][1]
            await self._cursor.nextset()
        if unmet is not None:
            while await self._cursor.nextset():
                continue
            raise unmet

    async def commit(self) -> None:
        if self._unsent == ["BEGIN"]:
            return
        if self._work and armed.points:
            await self._about_to_write()
            await self.flush()
            await failpoint(f"{self._work}.after_outbox_insert", self.about)
            await failpoint(f"{self._work}.after_publish_before_commit", self.about)
        if self._expected:
            await self._send("DO 0")
        self.commit_was_sent = True
        await self._send("COMMIT")


class Database:
    """A pool of connections to one schema. Each connection serves one transaction at a time."""

    def __init__(
        self, settings: MysqlSettings, ids: IdGenerator, *, connections: int = 16, after_publish: Callable[[], None] | None = None
    ) -> None:
        self._settings = settings
        self._ids = ids
        self._idle: list[Any] = []
        self._free = asyncio.Semaphore(connections)
        self._after_publish = after_publish

    @asynccontextmanager
    async def transaction(self, work: str = "", about: About = NOTHING) -> AsyncIterator[Transaction]:
        """Commit at the end of the block; roll back when it raises. `work` names the unit of work for failpoints (see `declare_work`).

        Raises TransientError when the database is unavailable or a lock timed out. Other errors of the driver or the block pass unchanged.
        """
        async with self._free:
            connection = await self._take()
            reusable = False
            tx = Transaction(await connection.cursor(), self._ids, work, about)
            try:
                yield tx
                await tx.commit()
                reusable = True
            except Exception as error:
                reusable = await _rolled_back(connection)
                if is_transient(error) and not isinstance(error, TransientError):
                    was_answered = error.args and error.args[0] in LOCK_CODES  # by a statement that precedes the COMMIT in the same packet
                    raise TransientError(error, outcome_unknown=tx.commit_was_sent and not was_answered) from error
                raise
            finally:
                # A connection in an unknown state (lost, or cancelled in the middle of an answer) is not reused.
                if reusable:
                    self._idle.append(connection)
                else:
                    connection.close()
        if work and armed.points:
            await failpoint(f"{work}.after_commit_before_publish", tx.about)
        if tx.has_messages and self._after_publish is not None:
            self._after_publish()

    async def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read in a transaction of its own. Raises TransientError."""
        async with self.transaction() as tx:
            return await tx.rows(sql, *values)

    async def _take(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            if not _lost(connection):
                return connection
            connection.close()
        try:
            return await connect(self._settings)
        except Exception as error:
            if is_transient(error):
                raise TransientError(error) from error
            raise

    async def ready(self) -> None:
        """Return when the messaging tables exist; later message ids continue above the highest stored id. Raises the error that prevents
        it."""
        for (last_id,) in await self.rows("SELECT MAX(id) FROM message"):
            if last_id is not None:
                self._ids.follow(last_id)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


async def _rolled_back(connection: Any) -> bool:
    try:
        await connection.rollback()
    except Exception:  # the connection is lost, and the server rolls back by itself
        return False
    return True


def _lost(connection: Any) -> bool:
    """Returns whether the server has closed this idle connection. Only the driver's reader knows; the driver's own pool asks it too."""
    reader = connection._reader
    return connection.closed or reader is None or reader.at_eof() or reader.exception() is not None or reader.eof_received
