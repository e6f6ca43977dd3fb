"""The message relay: a polling publisher with a hint. It sends the rows of an outbox to the broker, in order, at least once.

A row is marked as published only after the broker has acknowledged it, so a crash at any point repeats messages and never loses them. Rows
are read in the order of their ids. An aggregate's events are written under the lock of its row, so their ids increase with their commits; a
row that becomes visible late belongs to another aggregate. https://microservices.io/patterns/data/polling-publisher.html
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from pymysql.converters import escape_string

from services.log import describe, log
from services.messaging.brokers import BrokerUnavailable, OpenPublisher, OutgoingRecord, Publisher, RecordRefused
from services.messaging.message import ID, PARTITION_ID, record_value
from services.mysql.connection import MysqlSettings, connect, is_transient
from services.workshop.armed import batch_size

BATCH = 500
BATCH_BYTES = 800_000
BUSY, LINGER_S = 3, 0.010  # after a batch with this many rows, let the next rows gather for a moment
POLL_S = 0.5
IN_VAIN = 3  # after this many empty polls in a row, the next one waits: hints can be false
RETRY_S = 0.1
PUBLISHED = 1
SET_ASIDE = 2  # the value of `published` for a row that no broker accepts; readers look for 0

_UNPUBLISHED = "SELECT id, destination, headers, payload FROM message WHERE published = 0 ORDER BY id LIMIT "
_headers = msgspec.json.Decoder(dict[str, str])

Row = tuple[str, str, str, str]
Report = Callable[[str, bool, str], None]
"""Records the state of a dependency: its name, whether it is available, and if not, why."""


class PollingRelay:
    """Relays one outbox. Of several relays for the same outbox, one works and the others stand by."""

    def __init__(self, settings: MysqlSettings, open_publisher: OpenPublisher, report: Report = lambda *_: None) -> None:
        self._settings = settings
        self._schema = settings.database
        self._open_publisher = open_publisher
        self._report = report
        self._stopping = False
        self.news = asyncio.Event()
        """Set when a hint says that there are new rows."""

    def stop(self) -> None:
        """Finish and mark the current batch, and return from `run`."""
        self._stopping = True
        self.news.set()

    async def run(self) -> None:
        while not self._stopping:
            connection: Any = None
            publisher: Publisher | None = None
            try:
                connection = await connect(self._settings)
                await self._lead(connection)
                self._report("mysql", True, "")
                publisher = await self._open_publisher()
                self._report("publisher", True, "")
                await self._relay(connection, publisher)
            except BrokerUnavailable as error:
                self._report("publisher", False, describe(error))
                log("broker unavailable", outbox=self._schema, error=describe(error))
                await asyncio.sleep(RETRY_S)
            except Exception as error:
                # Any other error (the database is away, its tables do not exist yet): the rows wait and the relay tries again.
                self._report("mysql", False, describe(error))
                log("outbox unavailable", outbox=self._schema, error=describe(error), expected=is_transient(error))
                await asyncio.sleep(RETRY_S)
            finally:
                if publisher is not None:
                    await publisher.close()
                if connection is not None:
                    connection.close()

    async def _lead(self, connection: Any) -> None:
        """Wait until this relay alone works on the outbox. The lock ends with the connection."""
        announced = False
        while not self._stopping:
            async with connection.cursor() as cursor:
                await cursor.execute("SELECT GET_LOCK(%s, 1)", (f"relay.{self._schema}",))
                (is_leader,) = await cursor.fetchone()
            if is_leader:
                return
            if not announced:
                self._report("mysql", True, "standing by: another relay works on this outbox")
                log("standing by", outbox=self._schema)
                announced = True

    async def _relay(self, connection: Any, publisher: Publisher) -> None:
        async with connection.cursor() as cursor:
            statements: list[str] = []
            in_vain = 0
            while not self._stopping:
                self.news.clear()
                if statements:
                    in_vain = 0
                # Marking the last batch and looking for the next one share a round trip.
                await cursor.execute(";".join([*statements, _UNPUBLISHED + str(batch_size(BATCH))]))
                for _ in statements:
                    await cursor.nextset()
                rows = _bounded(await cursor.fetchall())
                statements = await self._publish(publisher, rows) if rows else []
                if len(rows) >= BUSY:
                    await asyncio.sleep(LINGER_S)
                if not rows:
                    in_vain += 1
                    if in_vain > IN_VAIN:
                        await asyncio.sleep(LINGER_S)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.news.wait(), POLL_S)
            for statement in statements:
                await cursor.execute(statement)

    async def _publish(self, publisher: Publisher, rows: Sequence[Row]) -> list[str]:
        """Publish rows. Returns the statements that mark them: the broker has acknowledged the rows, or will never accept them."""
        try:
            await publisher.publish([_record(row) for row in rows])
        except (RecordRefused, ValueError, KeyError) as error:
            if len(rows) > 1:
                return [statement for row in rows for statement in await self._publish(publisher, [row])]
            log("message set aside", outbox=self._schema, message_id=rows[0][0], error=describe(error))
            return [_mark(rows, SET_ASIDE)]
        return [_mark(rows, PUBLISHED)]


def _mark(rows: Sequence[Row], published: int) -> str:
    ids = ", ".join(f"'{escape_string(row[0])}'" for row in rows)
    return f"UPDATE message SET published = {published} WHERE id IN ({ids})"


def _bounded(rows: Sequence[Row]) -> list[Row]:
    """The leading rows that fit in one broker batch, at least one."""
    size = 0
    taken: list[Row] = []
    for row in rows:
        size += len(row[2]) + len(row[3])
        if taken and size > BATCH_BYTES:
            break
        taken.append(row)
    return taken


def _record(row: Row) -> OutgoingRecord:
    """Convert an outbox row. Raises ValueError or KeyError for a row that is not a message."""
    message_id, destination, headers_json, payload = row
    headers = _headers.decode(headers_json)
    if not message_id:  # the database assigns the ids: then the relay would have to add the header
        raise ValueError("the row has no id")
    key = headers.get(PARTITION_ID) or headers[ID]
    return OutgoingRecord(destination, key.encode(), record_value(headers_json, payload))
