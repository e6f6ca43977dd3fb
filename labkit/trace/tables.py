"""Simple queries on an evidence database."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from labkit.brokers.model import Position
from labkit.trace import system
from labkit.trace.model import Copy, Message

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OUTBOX = ("event", "channel", "schema", "published", "created", "key", "order_id", "customer_id")


LONGEST = 24  # characters of a name in a sentence


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


class EvidenceTables:
    """The queries on one evidence database, in a file or in memory."""

    def __init__(self, connection: "DuckDBPyConnection") -> None:
        self.connection = connection
        self._unread = {
            source: reason or "it was not read"
            for source, complete, reason in self.rows("SELECT source, complete, reason FROM completeness")
            if not complete
        }

    @cached_property
    def system(self) -> system.System:
        return system.read(self.connection)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, list(values)).fetchall()

    def row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        rows = self.rows(query, *values)
        return rows[0] if rows else None

    def unread(self, source: str) -> str | None:
        """Return why a source was not read completely, or None."""
        return self._unread.get(source)

    def customer(self, customer_id: int | None) -> str:
        """Return a customer in words: `customer 4 "Ada"`."""
        if customer_id is None:
            return "an unknown customer"
        name = self.row(
            "SELECT name FROM customers WHERE id = ? UNION ALL SELECT after_name FROM customer_changes WHERE after_id = ?",
            *[customer_id] * 2,
        )
        return f'customer {customer_id} "{_short(name[0])}"' if name else f"customer {customer_id}"

    def commit(self, commit_no: int | None) -> str | None:
        """Return the position of a commit: `binlog.000002:48211`."""
        if commit_no is None:
            return None
        found = self.row("SELECT binlog_file, position FROM transactions WHERE commit_no = ?", commit_no)
        return f"{found[0]}:{found[1]}" if found else None

    def message(self, message_id: object) -> Message | None:
        found = self._messages("id", message_id)
        return found[0] if found else None

    def messages(self, order_id: int) -> list[Message]:
        """Return all messages about an order, sorted by id."""
        return self._messages("order_id", order_id)

    def messages_of_customer(self, customer_id: int) -> list[Message]:
        """Return all messages about a customer and the customer's orders, sorted by id."""
        return self._messages("customer_id", customer_id)

    def _messages(self, column: str, value: object) -> list[Message]:
        """Return the messages whose outbox row or record has this value."""
        about: dict[str, dict[str, Any]] = {}
        for row in self.rows(
            f"SELECT id, event, channel, schema_name, published, created, key, order_id, customer_id FROM outbox WHERE {column} = ?", value
        ):
            about[row[0]] = dict(zip(_OUTBOX, row[1:], strict=True))
        copies = self._copies("message_id" if column == "id" else column, value, about)
        ids = list(about)
        taken = self._by_subscriber("received", "inbox", ids)
        parked = self._by_subscriber("cause", "dead_letters", ids)
        taken_commits = self._by_subscriber("commit_no", "inbox_changes", ids, "op = 'insert' AND ")
        commits = dict(
            self.rows("SELECT message_id, commit_no FROM outbox_changes WHERE op = 'insert' AND message_id IN (SELECT unnest(?))", ids)
        )
        return [
            Message(
                id=i,
                **about[i],
                commit=self.commit(commits.get(i)),
                commit_no=commits.get(i),
                copies=tuple(copies.get(i, ())),
                taken=taken.get(i, {}),
                taken_commit={name: self.commit(commit_no) or "" for name, commit_no in taken_commits.get(i, {}).items()},
                parked=parked.get(i, {}),
            )
            for i in sorted(about)
        ]

    def _copies(self, column: str, value: object, about: dict[str, dict[str, Any]]) -> dict[str, list[Copy]]:
        """Return the records of these messages by message id. Add each message that is in no outbox to `about`."""
        copies: dict[str, list[Copy]] = {}
        query = f"""SELECT r.message_id, r.event, r.channel, r.topic, r.partition_no, r.offset_no, position_words(r.offset_no), r.appended,
            p.topic IS NOT NULL, r.key, r.order_id, r.customer_id
          FROM records r LEFT JOIN planted_records p ON p.topic = r.topic AND p.partition_no = r.partition_no AND p.offset_no = r.offset_no
          WHERE r.{column} = ? ORDER BY r.partition_no, r.offset_no"""
        for message_id, event, channel, topic, partition, position, words, appended, planted, key, order_id, customer_id in self.rows(
            query, value
        ):
            if message_id is None:
                continue
            copies.setdefault(message_id, []).append(Copy(topic, channel, partition, position, words, appended, planted, key))
            unwritten = (event, channel, None, False, None, key, order_id, customer_id)
            about.setdefault(message_id, dict(zip(_OUTBOX, unwritten, strict=True)))
        return copies

    def _by_subscriber(self, column: str, table: str, ids: list[str], where: str = "") -> dict[str, dict[str, Any]]:
        """Return the column's value by message id and subscriber."""
        found: dict[str, dict[str, Any]] = {}
        for message_id, subscriber, value in self.rows(
            f"SELECT message_id, subscriber, {column} FROM {table} WHERE {where}message_id IN (SELECT unnest(?))", ids
        ):
            found.setdefault(message_id, {})[subscriber] = value
        return found

    def position_words(self, position: Position) -> str:
        """Return a position for people: `offset 17`."""
        ((words,),) = self.rows("SELECT position_words(?::HUGEINT)", position)
        return str(words)

    def group(self, group: str, copy: Copy) -> tuple[Position | None, int, int, str] | None:
        """Return (committed, lag, members, state) of a group on a record's partition."""
        found = self.row(
            "SELECT committed, lag, members, state FROM group_offsets WHERE group_id = ? AND topic = ? AND partition_no = ?",
            *(group, copy.topic, copy.partition),
        )
        return found if found is None else (found[0], found[1], found[2], found[3])
