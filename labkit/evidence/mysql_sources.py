"""Which tables of the services go into the evidence, and how their rows become lines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from labkit import brokers
from labkit.brokers.model import Positions
from labkit.evidence import messages
from labkit.evidence.table_files import LONGEST, milliseconds, number, optional, plain, quoted
from labkit.system import messaging
from labkit.system.model import Form, ObservedTable, Profile

Row = list[bytes | None]

NUMBER, MONEY, TEXT, CODED, MILLISECONDS, FLAG, BYTES = Form
NUMBERS = (NUMBER, MONEY)
NUMERIC = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit", "year"})
_QUOTE = "CHAR(2 USING utf8mb4)"
_QUOTED = f"IFNULL(CONCAT({_QUOTE}, REPLACE({{0}}, {_QUOTE}, CONCAT({_QUOTE}, {_QUOTE})), {_QUOTE}), '')"


def _selected(kind: Form, name: str, type: str) -> str:
    """Return the SQL expression that selects a column's value, whichever type the column has."""
    column = "`" + name.replace("`", "``") + "`"
    if kind is BYTES:
        return f"HEX({column})"
    if type == "bit":
        return f"({column} + 0)"
    return f"CAST({column} AS DECIMAL(65,2))" if kind in NUMBERS and type in ("float", "double") else column


def _field(kind: Form, selected: str, type: str, codes: Sequence[str] = ()) -> str:
    """Return the SQL expression that formats a selected value as a field of a line."""
    as_text = f"CONVERT({selected} USING utf8mb4)"  # texts in two character sets cannot always be concatenated
    if codes:
        known = " ".join(f"WHEN '{code}' THEN '{text}'" for code, text in enumerate(codes))
        return f"CASE {as_text} {known} ELSE {_QUOTED.format(as_text)} END"
    if kind is MILLISECONDS:
        return f"IFNULL(CONCAT({selected}, '000'), '')" if type in NUMERIC else "''"
    return f"IFNULL({selected}, '')" if kind in NUMBERS and type in NUMERIC else _QUOTED.format(as_text)


def _as_sent(_: str, row: Row) -> str:
    """Return a line that the server has formatted. This saves most of the work here for large tables with few texts."""
    return (row[0] or b"").decode(errors="replace")


@dataclass(frozen=True)
class Source:
    """A table of a service, and how its rows are stored in the evidence.

    An `optional` column that does not exist is NULL; no verdict depends on it. With `sent`, the server formats the lines.
    """

    table: str
    schemas: tuple[str, ...]
    columns: dict[str, Form]
    into: str
    line: Callable[[str, Row], str] = _as_sent
    optional: frozenset[str] = frozenset()
    required: bool = True
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def sent(self) -> bool:
        return self.line is _as_sent

    def selected(self, schema: str, columns: Mapping[str, tuple[str, str]]) -> list[str]:
        """Return the SQL expressions to select. `columns`: for each column, its name as written and its type; both empty if missing."""
        selected = []
        for name, (written, type) in columns.items():
            value = _selected(self.columns[name], written, type) if written else "NULL"
            selected.append(_field(self.columns[name], value, type, self.codes.get(name, ())) if self.sent else value)
        if self.sent:
            first = [f"'{schema}'"] if self.into == "inbox" else []
            selected = [f"CONCAT_WS(',', {', '.join([*first, *selected])})"]
        return selected


def _message(wire: messages.Wire) -> Callable[[str, Row], str]:
    def line(schema: str, row: Row) -> str:
        message_id, destination, headers, payload, published, created = row
        about = wire.about(headers or b"", payload or b"")
        topic = (destination or b"").decode(errors="replace")
        usual = about.destination == topic and about.message_id == (message_id or b"").decode(errors="replace")
        mark = "true" if published not in (None, b"0") else "false"
        return (
            f"{schema},{_text(message_id)},{quoted(topic)},{quoted(wire.channel(topic))},{_about(about)},"
            f"{'' if usual else _text(headers)},{_text(payload)},{mark},{milliseconds(created)}"
        )

    return line


def _about(about: messages.About) -> str:
    a = about
    ids = f"{number(a.aggregate_id)},{number(a.order_id)},{number(a.customer_id)}"
    return f"{optional(a.key)},{optional(a.type)},{optional(a.event)},{ids},{a.total or ''},{optional(a.saga_id)},{optional(a.reply_to)}"


def _dead_letter(positions: Positions) -> Callable[[str, Row], str]:
    def line(schema: str, row: Row) -> str:
        subscriber, channel, partition, written, index, message_id, cause, key, value, created = row
        position = positions.read(written or b"")
        at = _number(written) if position is None else str(position)
        place = f"{_text(subscriber)},{_text(channel)},{_number(partition)},{at},{_number(index)}"
        return f"mysql,{schema},{place},{_text(message_id)},{_text(cause)},{_hex(key)},{_hex(value)},{milliseconds(created)}"

    return line


def _saga(schema: str, row: Row) -> str:
    saga_type, saga_id, state, request, end, compensating, failed, data = row
    flags = ",".join("" if flag is None else "true" if flag in (b"1", b"\1") else "false" for flag in (end, compensating, failed))
    order_id = messages.order_of(data or b"")
    return f"{schema},{_text(saga_type)},{_text(saga_id)},{_text(state)},{_text(request)},{flags},{number(order_id)},{_text(data)}"


def of_profile(profile: Profile) -> list[Source]:
    """Return the observed tables, and those of transactional messaging."""
    return [*map(_observed, profile.tables), *_of_messaging(profile.schemas, messages.Wire(profile), brokers.positions(profile))]


def _observed(table: ObservedTable) -> Source:
    return Source(
        table.table,
        (table.schema,),
        {column.source: column.form for column in table.columns},
        table.name,
        optional=frozenset(column.source for column in table.columns if column.optional),
        codes={column.source: column.codes for column in table.columns if column.codes},
    )


def _of_messaging(schemas: tuple[str, ...], wire: messages.Wire, positions: Positions) -> tuple[Source, ...]:
    return (
        Source(
            messaging.OUTBOX,
            schemas,
            {"id": TEXT, "destination": TEXT, "headers": TEXT, "payload": TEXT, "published": NUMBER, "creation_time": MILLISECONDS},
            "outbox",
            _message(wire),
            optional=frozenset({"published", "creation_time"}),
        ),
        Source(
            messaging.INBOX,
            schemas,
            {"consumer_id": TEXT, "message_id": TEXT, "creation_time": MILLISECONDS},
            "inbox",
            optional=frozenset({"creation_time"}),
        ),
        Source(
            messaging.DEAD_LETTERS,
            schemas,
            {
                **{"subscriber": TEXT, "channel": TEXT, "channel_partition": NUMBER, "position": TEXT, "message_index": NUMBER},
                **{"message_id": TEXT, "cause": TEXT, "record_key": BYTES, "record_value": BYTES, "creation_time": MILLISECONDS},
            },
            "dead_letters",
            _dead_letter(positions),
            optional=frozenset({"creation_time"}),
            required=False,
        ),
        Source(
            messaging.SAGAS,
            schemas,
            {
                **{"saga_type": TEXT, "saga_id": TEXT, "state_name": TEXT, "last_request_id": TEXT},
                **{"end_state": NUMBER, "compensating": NUMBER, "failed": NUMBER, "saga_data_json": TEXT},
            },
            "saga_instances",
            _saga,
            required=False,
        ),
    )


def _text(value: bytes | None) -> str:
    return "" if value is None else quoted(value.decode(errors="replace"))


def _number(value: bytes | None) -> str:
    return "" if value is None else plain(value.decode(errors="replace"))


def _hex(value: bytes | None) -> str:
    return "" if value is None else value[: 2 * LONGEST].decode()
