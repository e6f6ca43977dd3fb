"""How the binlog writes a table's rows: the table's description in a TABLE_MAP event, and a decoder made for it.

https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Table__map__event.html
https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Rows__event.html
https://mariadb.com/kb/en/table_map_event/
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import Any

Decoder = Callable[[bytes, int], tuple[tuple[Any, ...], int]]
"""(packet, where a row begins) → (values of the wanted columns, where the next row begins)."""

# Column types by their number in the protocol.
INTEGERS = {1: 1, 2: 2, 9: 3, 3: 4, 8: 8}  # TINY, SHORT, INT24, LONG, LONGLONG: bytes
FLOAT, DOUBLE, TIMESTAMP, DATE, YEAR, NEWDATE, VARCHAR, BIT = 4, 5, 7, 10, 13, 14, 15, 16
TIMESTAMP2, DATETIME2, TIME2, JSON, DECIMAL, ENUM, SET = 17, 18, 19, 245, 246, 247, 248
BLOB, VAR_STRING, STRING, GEOMETRY = 252, 253, 254, 255
METADATA_BYTES = {
    **dict.fromkeys((FLOAT, DOUBLE, TIMESTAMP2, DATETIME2, TIME2, JSON, BLOB, GEOMETRY), 1),
    **dict.fromkeys((VARCHAR, BIT, DECIMAL, VAR_STRING, STRING, ENUM, SET), 2),
}
SIGNEDNESS, NAMES, ENUM_VALUES = 1, 4, 6  # parts of the optional metadata
DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)  # bytes that 0 to 9 decimal digits take


class Unsupported(Exception):
    """A sentence without its full stop about what this reader cannot decode."""


@dataclass(frozen=True)
class Column:
    name: str
    type: int
    meta: bytes
    nullable: bool
    unsigned: bool
    values: tuple[str, ...]  # of an ENUM


@dataclass(frozen=True)
class TableMap:
    """`columns` have no names where the server does not log them (binlog_row_metadata=FULL)."""

    schema: str
    table: str
    columns: tuple[Column, ...]


def table_name(data: bytes) -> tuple[str, str]:
    """Schema and table of a TABLE_MAP's body after the table id and the flags."""
    end = 1 + data[0]
    return data[1:end].decode(), data[end + 2 : end + 2 + data[end + 1]].decode()


def table_map(data: bytes) -> TableMap:
    schema, table = table_name(data)
    count, at = length(data, len(schema.encode()) + len(table.encode()) + 4)
    types = data[at : at + count]
    size, at = length(data, at + count)
    meta_at, at = at, at + size
    nulls = int.from_bytes(data[at : at + (count + 7) // 8], "little")
    optional = _optional(data, at + (count + 7) // 8)
    numeric = [type in INTEGERS or type in (FLOAT, DOUBLE, DECIMAL) for type in types]
    signs = iter(optional.get(SIGNEDNESS, b""))
    unsigned = _bits(signs, sum(numeric))
    names = _texts(optional.get(NAMES, b""), count)
    enums = _enum_values(optional.get(ENUM_VALUES, b""))
    columns = []
    for i, type in enumerate(types):
        meta = data[meta_at : meta_at + METADATA_BYTES.get(type, 0)]
        meta_at += len(meta)
        real = meta[0] if type == STRING and meta[0] in (ENUM, SET) else type
        is_unsigned = next(unsigned, False) if numeric[i] else False
        values = next(enums, ()) if real == ENUM else ()
        columns.append(Column(names[i] if names else "", real, meta, bool(nulls >> i & 1), is_unsigned, values))
    return TableMap(schema, table, tuple(columns))


def length(data: bytes, at: int) -> tuple[int, int]:
    """A length-encoded integer, and where what follows begins."""
    first = data[at]
    if first < 251:
        return first, at + 1
    size = {252: 2, 253: 3, 254: 8}[first]
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


def _optional(data: bytes, at: int) -> dict[int, bytes]:
    parts = {}
    while at < len(data):
        kind = data[at]
        size, at = length(data, at + 1)
        parts[kind] = data[at : at + size]
        at += size
    return parts


def _bits(data: Iterator[int], count: int) -> Iterator[bool]:
    """Most significant bit first."""
    for _ in range(0, count, 8):
        byte = next(data, 0)
        for bit in range(7, -1, -1):
            yield bool(byte >> bit & 1)


def _texts(data: bytes, count: int) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(data) and len(texts) < count:
        size, at = length(data, at)
        texts.append(data[at : at + size].decode())
        at += size
    return texts


def _enum_values(data: bytes) -> Iterator[tuple[str, ...]]:
    at = 0
    while at < len(data):
        count, at = length(data, at)
        values = []
        for _ in range(count):
            size, at = length(data, at)
            values.append(data[at : at + size].decode())
            at += size
        yield tuple(values)


def decoder(table: TableMap, wanted: Sequence[str]) -> Decoder:
    """A function made for this table that reads the wanted columns of a row and steps over the others.

    Made as source text, once a table: a loop over the columns for every row would take three times as long. Integers come as int, ENUM as
    str, DECIMAL and times as str, texts and bytes as bytes. A column that the table does not have is None. Raises Unsupported.
    """
    names = [column.name for column in table.columns]
    places: dict[str, Any] = {"decimal": decimal, "datetime2": datetime2, "timestamp2": timestamp2, "day": day, "little": int.from_bytes}
    lines = ["def row(b, o):"]
    bitmap = (len(table.columns) + 7) // 8
    if bitmap == 1:
        lines += [" n = b[o]"]
    else:
        lines += [f" n = little(b[o:o + {bitmap}], 'little')"]
    lines += [f" o += {bitmap}"]
    for i, column in enumerate(table.columns):
        use = f"v{i}" if column.name in wanted else ""
        step = _reading(column, i, use, places)
        if column.nullable:
            lines += [f" if n & {1 << i}:", f"  {use} = None" if use else "  pass", " else:"]
            lines += [f"  {line}" for line in step]
        else:
            lines += [f" {line}" for line in step]
    results = [f"v{names.index(name)}" if name in names else "None" for name in wanted]
    lines.append(f" return ({', '.join(results)}{',' if results else ''}), o")
    exec("\n".join(lines), places)
    made: Decoder = places["row"]
    return made


def _reading(column: Column, i: int, use: str, places: dict[str, Any]) -> list[str]:
    """Statements that read column `i` at `o` into the variable `use`, unless that is empty, and step over it."""
    kind, meta = column.type, column.meta
    if kind in INTEGERS:
        size = INTEGERS[kind]
        if size == 3:
            value = f"little(b[o:o + 3], 'little', signed={not column.unsigned})"
        else:
            code = {1: "b", 2: "h", 4: "i", 8: "q"}[size]
            places[f"int{i}"] = Struct("<" + (code.upper() if column.unsigned else code)).unpack_from
            value = f"int{i}(b, o)[0]"
        return _fixed(use, value, size)
    if kind in (VARCHAR, VAR_STRING):
        return _text(use, 1 if int.from_bytes(meta, "little") < 256 else 2)
    if kind == STRING:
        longest = meta[1] | ((meta[0] & 0x30) ^ 0x30) << 4
        return _text(use, 1 if longest < 256 else 2)
    if kind in (BLOB, JSON, GEOMETRY):
        return _text(use, meta[0])
    if kind == ENUM:
        places[f"enum{i}"] = {index + 1: value for index, value in enumerate(column.values)}
        number = "b[o]" if meta[1] == 1 else "b[o] | b[o + 1] << 8"
        return _fixed(use, f"enum{i}.get({number}, '')", meta[1])
    if kind == SET:
        return _fixed(use, f"little(b[o:o + {meta[1]}], 'little')", meta[1])
    if kind == DECIMAL:
        size = decimal_size(meta[0], meta[1])
        return _fixed(use, f"decimal(b[o:o + {size}], {meta[0]}, {meta[1]})", size)
    fraction = (meta[0] + 1) // 2 if meta else 0
    simple = {
        DATETIME2: (5 + fraction, f"datetime2(b, o, {meta[0] if meta else 0})"),
        TIMESTAMP2: (4 + fraction, f"timestamp2(b, o, {meta[0] if meta else 0})"),
        TIME2: (3 + fraction, ""),
        TIMESTAMP: (4, "timestamp2(b[o:o + 4][::-1], 0, 0)"),
        DATE: (3, "day(b, o)"),
        NEWDATE: (3, "day(b, o)"),
        YEAR: (1, "b[o] + 1900 if b[o] else 0"),
        FLOAT: (4, "float4(b, o)[0]"),
        DOUBLE: (8, "float8(b, o)[0]"),
        BIT: ((meta[0] + 7) // 8 + meta[1] if kind == BIT else 0, ""),
    }
    places |= {"float4": Struct("<f").unpack_from, "float8": Struct("<d").unpack_from}
    if kind not in simple or (use and not simple[kind][1]):
        raise Unsupported(f"column {column.name or i} has the type {kind}, which labkit does not read from the binlog")
    size, value = simple[kind]
    return _fixed(use, value, size)


def _fixed(use: str, value: str, size: int) -> list[str]:
    return [f"{use} = {value}; o += {size}" if use else f"o += {size}"]


def _text(use: str, length_bytes: int) -> list[str]:
    size = " | ".join(f"b[o + {k}] << {8 * k}" if k else "b[o]" for k in range(length_bytes))
    if not use:
        return [f"o += {length_bytes} + ({size})"]
    return [f"s = o + {length_bytes}; o = s + ({size}); {use} = b[s:o]"]


def decimal_size(precision: int, scale: int) -> int:
    """Bytes of a DECIMAL(precision, scale)."""
    whole, part = divmod(precision - scale, 9), divmod(scale, 9)
    return 4 * (whole[0] + part[0]) + DIGIT_BYTES[whole[1]] + DIGIT_BYTES[part[1]]


@lru_cache(maxsize=50_000)  # an amount comes several times: before, after, reserved
def decimal(data: bytes, precision: int, scale: int) -> str:
    """Digits come nine to four bytes, big-endian, the odd ones at the outer ends; the sign is the first bit, and a negative number is
    stored inverted. https://mariadb.com/kb/en/rows_event_v1v2-rows_compressed_event_v1/"""
    negative = not data[0] & 0x80
    if negative:
        data = bytes(byte ^ 0xFF for byte in data)
    data = bytes([data[0] ^ 0x80]) + data[1:]
    words, first = divmod(precision - scale, 9)
    at = DIGIT_BYTES[first]
    number = int.from_bytes(data[:at], "big")
    for _ in range(words):
        number = number * 1_000_000_000 + int.from_bytes(data[at : at + 4], "big")
        at += 4
    sign = "-" if negative else ""
    if not scale:
        return f"{sign}{number}"
    words, last = divmod(scale, 9)
    digits = "".join(f"{int.from_bytes(data[at + 4 * k : at + 4 * k + 4], 'big'):09}" for k in range(words))
    if last:
        digits += f"{int.from_bytes(data[at + 4 * words :], 'big'):0{last}}"
    return f"{sign}{number}.{digits}"


def day(data: bytes, at: int) -> str:
    number = data[at] | data[at + 1] << 8 | data[at + 2] << 16
    return f"{number >> 9:04}-{number >> 5 & 15:02}-{number & 31:02}"


def datetime2(data: bytes, at: int, digits: int) -> str:
    """Year and month as one number, then day, hour, minute, second in 40 bits, offset so that it sorts as bytes."""
    number = int.from_bytes(data[at : at + 5], "big") - (1 << 39)
    months, second_of_day = number >> 22, number & 0x1FFFF
    years, month = divmod(months, 13)
    text = f"{years:04}-{month:02}-{number >> 17 & 31:02} {second_of_day >> 12:02}:{second_of_day >> 6 & 63:02}:{second_of_day & 63:02}"
    return text + _fraction(data, at + 5, digits)


def timestamp2(data: bytes, at: int, digits: int) -> str:
    """Seconds since 1970, in UTC."""
    seconds = int.from_bytes(data[at : at + 4], "big")
    return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S") + _fraction(data, at + 4, digits)


def _fraction(data: bytes, at: int, digits: int) -> str:
    size = (digits + 1) // 2
    return f".{int.from_bytes(data[at : at + size], 'big') * 100 ** (3 - size):06}" if size else ""
