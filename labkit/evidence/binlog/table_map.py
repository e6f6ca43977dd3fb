"""Table maps: the description of a table in a TABLE_MAP event, which precedes the table's rows in each statement.

https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Table__map__event.html
https://mariadb.com/kb/en/table_map_event/
"""

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.evidence.binlog import charsets
from labkit.evidence.binlog.charsets import Charsets
from labkit.evidence.binlog.column_types import CHOICES, ENUM, METADATA_BYTES, NUMBERS, SET, STRING, TEXTS

# Fields of the optional metadata.
SIGNEDNESS, DEFAULT_CHARSET, COLUMN_CHARSET, NAMES, SET_VALUES, ENUM_VALUES = 1, 2, 3, 4, 5, 6
ENUM_DEFAULT_CHARSET, ENUM_COLUMN_CHARSET = 10, 11
USUAL_CHARSET = "utf8mb4"


class Unsupported(Exception):
    """What this reader cannot decode: a sentence without a full stop."""


@dataclass(frozen=True)
class BinlogColumn:
    name: str
    type: int
    meta: bytes
    nullable: bool
    unsigned: bool
    values: tuple[str, ...]  # of an ENUM or SET
    charset: str = USUAL_CHARSET  # of a text


@dataclass(frozen=True)
class TableMap:
    """A table's description. `columns` have names only if the server logs them (binlog_row_metadata=FULL)."""

    schema: str
    table: str
    columns: tuple[BinlogColumn, ...]


def table_name(data: bytes) -> tuple[str, str]:
    """Return schema and table from a TABLE_MAP's body after the table id and the flags."""
    end = 1 + data[0]
    return data[1:end].decode(), data[end + 2 : end + 2 + data[end + 1]].decode()


def table_map(data: bytes, known: Charsets | None = None) -> TableMap:
    """Return the table's description from a TABLE_MAP's body after the table id and the flags. Raises Unsupported.

    `known` are the server's character sets.
    """
    schema, table = table_name(data)
    count, at = _length(data, len(schema.encode()) + len(table.encode()) + 4)
    types = data[at : at + count]
    size, at = _length(data, at + count)
    meta_at, at = at, at + size
    nulls = int.from_bytes(data[at : at + (count + 7) // 8], "little")
    optional = _optional(data, at + (count + 7) // 8)
    names = _names(optional.get(NAMES, b""), count)
    columns: list[tuple[int, bytes]] = []
    for i, type in enumerate(types):
        if type not in METADATA_BYTES:
            raise Unsupported(f"column {names[i] if names else i + 1} of {schema}.{table} has a type that labkit does not know ({type})")
        meta = data[meta_at : meta_at + METADATA_BYTES[type]]
        meta_at += len(meta)
        columns.append((meta[0] if type == STRING and meta[0] in CHOICES else type, meta))
    numeric = [type in NUMBERS for type in types]
    unsigned = _bits(optional.get(SIGNEDNESS, b""), sum(numeric))
    texts = iter(_charsets(optional, DEFAULT_CHARSET, COLUMN_CHARSET, sum(real in TEXTS for real, _ in columns), known or {}))
    choices = iter(_charsets(optional, ENUM_DEFAULT_CHARSET, ENUM_COLUMN_CHARSET, sum(real in CHOICES for real, _ in columns), known or {}))
    enums, sets = _values(optional.get(ENUM_VALUES, b"")), _values(optional.get(SET_VALUES, b""))
    described = []
    for i, (real, meta) in enumerate(columns):
        is_unsigned = next(unsigned, False) if numeric[i] else False
        charset = next(texts) if real in TEXTS else next(choices) if real in CHOICES else USUAL_CHARSET
        values = next(enums, ()) if real == ENUM else next(sets, ()) if real == SET else ()
        decoded = tuple(value.decode(charsets.codec(charset) or "utf-8", "replace") for value in values)
        described.append(BinlogColumn(names[i] if names else "", real, meta, bool(nulls >> i & 1), is_unsigned, decoded, charset))
    return TableMap(schema, table, tuple(described))


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return a length-encoded integer, and the offset after it."""
    first = data[at]
    if first < 251:
        return first, at + 1
    size = {252: 2, 253: 3, 254: 8}[first]
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    """Return a text with its length before it, and the offset after it."""
    size, at = _length(data, at)
    return data[at : at + size], at + size


def _optional(data: bytes, at: int) -> dict[int, bytes]:
    """Return the fields of the optional metadata."""
    fields = {}
    while at < len(data):
        kind = data[at]
        fields[kind], at = _text(data, at + 1)
    return fields


def _names(data: bytes, count: int) -> list[str]:
    """Return the columns' names; an empty list if the server does not log them."""
    names: list[str] = []
    at = 0
    while at < len(data) and len(names) < count:
        name, at = _text(data, at)
        names.append(name.decode())
    return names


def _bits(data: bytes, count: int) -> Iterator[bool]:
    """Yield bits, the most significant bit of each byte first. Missing bytes count as 0."""
    for i in range(count):
        yield i // 8 < len(data) and bool(data[i // 8] >> (7 - i % 8) & 1)


def _charsets(optional: dict[int, bytes], default: int, each: int, count: int, known: Charsets) -> list[str]:
    """Return the character sets of the text columns.

    The metadata holds either one default collation with exceptions, by the column's number among the text columns, or one collation for
    each.
    """
    if each in optional:
        found = list(_numbers(optional[each]))
        return [known.get(collation, USUAL_CHARSET) for collation in [*found, *[0] * count][:count]]
    usual, *others = [*_numbers(optional.get(default, b""))] or [0]
    exceptions = dict(zip(others[::2], others[1::2], strict=False))
    return [known.get(exceptions.get(i, usual), USUAL_CHARSET) for i in range(count)]


def _numbers(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        number, at = _length(data, at)
        yield number


def _values(data: bytes) -> Iterator[tuple[bytes, ...]]:
    """Yield the values of each ENUM or SET column."""
    at = 0
    while at < len(data):
        count, at = _length(data, at)
        values = []
        for _ in range(count):
            value, at = _text(data, at)
            values.append(value)
        yield tuple(values)
