"""Plain questions to an evidence database."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from labkit.story.model import Copy, Told

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OUTBOX = ("event", "channel", "schema", "published", "created", "key", "order_id", "customer_id")


class Tables:
    """Of one evidence database, in a file or in memory."""

    def __init__(self, connection: "DuckDBPyConnection") -> None:
        self.connection = connection
        self._unread = {
            source: (reason or "it was not read", component)
            for source, complete, reason, component in self.rows("SELECT source, complete, reason, component FROM completeness")
            if not complete
        }

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, list(values)).fetchall()

    def row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        rows = self.rows(query, *values)
        return rows[0] if rows else None

    def unread(self, source: str) -> str | None:
        """Why a source was not read whole, or None."""
        found = self._unread.get(source)
        return found[0] if found else None

    def customer(self, customer_id: int | None) -> str:
        """`customer 4 "Ada"`"""
        if customer_id is None:
            return "an unknown customer"
        name = self.row(
            "SELECT name FROM customers WHERE id = ? UNION ALL SELECT after_name FROM customer_changes WHERE after_id = ?",
            *[customer_id] * 2,
        )
        return f'customer {customer_id} "{name[0]}"' if name else f"customer {customer_id}"

    def commit(self, commit_no: int | None) -> str | None:
        """`binlog.000002:48211`"""
        if commit_no is None:
            return None
        found = self.row("SELECT binlog_file, position FROM transactions WHERE commit_no = ?", commit_no)
        return f"{found[0]}:{found[1]}" if found else None

    def message(self, message_id: object) -> Told | None:
        found = self.told("id = ?", message_id)
        return found[0] if found else None

    def messages(self, order_id: int) -> list[Told]:
        """All messages about an order, in the order of their ids."""
        return self.told("order_id = ?", order_id)

    def told(self, where: str, value: object) -> list[Told]:
        about: dict[str, dict[str, Any]] = {}
        for row in self.rows(
            f"SELECT id, event, channel, schema_name, published, created, key, order_id, customer_id FROM outbox WHERE {where}", value
        ):
            about[row[0]] = dict(zip(_OUTBOX, row[1:], strict=True))
        copies: dict[str, list[Copy]] = {}
        where_record = where.replace("id = ?", "message_id = ?") if where == "id = ?" else where
        query = f"""SELECT r.message_id, r.event, r.channel, r.topic, r.partition_no, r.offset_no, r.appended, p.topic IS NOT NULL, r.key,
            r.order_id, r.customer_id
          FROM records r LEFT JOIN planted_records p ON p.topic = r.topic AND p.partition_no = r.partition_no AND p.offset_no = r.offset_no
          WHERE r.{where_record} ORDER BY r.partition_no, r.offset_no"""
        for message_id, event, channel, topic, partition, offset, appended, planted, key, order_id, customer_id in self.rows(query, value):
            if message_id is None:
                continue
            copies.setdefault(message_id, []).append(Copy(topic, channel, partition, offset, appended, planted, key))
            about.setdefault(
                message_id,
                {
                    "event": event,
                    "channel": channel,
                    "schema": None,
                    "published": False,
                    "created": None,
                    "key": key,
                    "order_id": order_id,
                    "customer_id": customer_id,
                },
            )
        ids = list(about)
        taken: dict[str, dict[str, datetime | None]] = {}
        for message_id, subscriber, received in self.rows(
            "SELECT message_id, subscriber, received FROM inbox WHERE message_id IN (SELECT unnest(?))", ids
        ):
            taken.setdefault(message_id, {})[subscriber] = received
        parked: dict[str, dict[str, str]] = {}
        for message_id, subscriber, cause in self.rows(
            "SELECT message_id, subscriber, cause FROM dead_letters WHERE message_id IN (SELECT unnest(?))", ids
        ):
            parked.setdefault(message_id, {})[subscriber] = cause
        commits = dict(
            self.rows("SELECT message_id, commit_no FROM outbox_changes WHERE op = 'insert' AND message_id IN (SELECT unnest(?))", ids)
        )
        taken_commits: dict[str, dict[str, str]] = {}
        for message_id, subscriber, commit_no in self.rows(
            "SELECT message_id, subscriber, commit_no FROM inbox_changes WHERE op = 'insert' AND message_id IN (SELECT unnest(?))", ids
        ):
            taken_commits.setdefault(message_id, {})[subscriber] = self.commit(commit_no) or ""
        return [
            Told(
                id=i,
                **about[i],
                commit=self.commit(commits.get(i)),
                commit_no=commits.get(i),
                copies=tuple(copies.get(i, ())),
                taken=taken.get(i, {}),
                taken_commit=taken_commits.get(i, {}),
                parked=parked.get(i, {}),
            )
            for i in sorted(about)
        ]

    def group(self, group: str, copy: Copy) -> tuple[int | None, int, int, str] | None:
        """(committed, lag, members, state) of a group on the partition of a record."""
        found = self.row(
            "SELECT committed, lag, members, state FROM group_offsets WHERE group_id = ? AND topic = ? AND partition_no = ?",
            *(group, copy.topic, copy.partition),
        )
        return found if found is None else (found[0], found[1], found[2], found[3])
