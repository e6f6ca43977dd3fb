"""The binlog's row format: read a table's description in a TABLE_MAP event, and build a decoder for its rows.

https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Table__map__event.html
https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Rows__event.html
https://mariadb.com/kb/en/table_map_event/
"""

import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from struct import Struct
from typing import Any

from labkit.evidence.charsets import Charsets
from labkit.evidence.charsets import codec as charset_codec
from labkit.evidence.table_files import quoted

Decoder = Callable[[bytes, int], tuple[tuple[Any, ...], int]]
"""(packet, offset of a row) → (values of the wanted columns as fields of a line, offset of the next row)."""

# Column types by their number in the protocol.
INTEGERS = {1: 1, 2: 2, 9: 3, 3: 4, 8: 8}  # TINY, SHORT, INT24, LONG, LONGLONG: bytes
FLOAT, DOUBLE, TIMESTAMP, DATE, YEAR, NEWDATE, VARCHAR, BIT = 4, 5, 7, 10, 13, 14, 15, 16
TIMESTAMP2, DATETIME2, TIME2, JSON, DECIMAL, ENUM, SET = 17, 18, 19, 245, 246, 247, 248
BLOB, VAR_STRING, STRING, GEOMETRY = 252, 253, 254, 255
BLOB_COMPRESSED, VARCHAR_COMPRESSED, VECTOR = 140, 141, 242  # the first two are MariaDB's
METADATA_BYTES = {
    **dict.fromkeys((FLOAT, DOUBLE, TIMESTAMP2, DATETIME2, TIME2, JSON, BLOB, GEOMETRY, BLOB_COMPRESSED, VECTOR), 1),
    **dict.fromkeys((VARCHAR, BIT, DECIMAL, VAR_STRING, STRING, ENUM, SET, VARCHAR_COMPRESSED), 2),
    **dict.fromkeys((*INTEGERS, TIMESTAMP, DATE, YEAR, NEWDATE, 6, 11, 12), 0),  # also NULL, and the old formats of TIME and DATETIME
}
TYPE_NAMES = {JSON: "JSON", GEOMETRY: "GEOMETRY", TIME2: "TIME", VECTOR: "VECTOR"}
# Fields of the optional metadata.
SIGNEDNESS, DEFAULT_CHARSET, COLUMN_CHARSET, NAMES, SET_VALUES, ENUM_VALUES = 1, 2, 3, 4, 5, 6
ENUM_DEFAULT_CHARSET, ENUM_COLUMN_CHARSET = 10, 11
CHARACTER_TYPES = (STRING, VAR_STRING, VARCHAR, BLOB, BLOB_COMPRESSED, VARCHAR_COMPRESSED)
ALIVE = "alive"  # a pseudo-column: whether a row of a system-versioned table is its current version
ROW_END, NO_END = "row_end", (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff")  # the usual name of the row's end; its first bytes in a current row
DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)  # bytes that 0 to 9 decimal digits take


class Unsupported(Exception):
    """What this reader cannot decode: a sentence without a full stop."""


@dataclass(frozen=True)
class Column:
    name: str
    type: int
    meta: bytes
    nullable: bool
    unsigned: bool
    values: tuple[str, ...]  # of an ENUM or SET
    charset: str = "utf8mb4"  # of a text


@dataclass(frozen=True)
class TableMap:
    """A table's description. `columns` have names only if the server logs them (binlog_row_metadata=FULL)."""

    schema: str
    table: str
    columns: tuple[Column, ...]


def table_name(data: bytes) -> tuple[str, str]:
    """Return schema and table from a TABLE_MAP's body after the table id and the flags."""
    end = 1 + data[0]
    return data[1:end].decode(), data[end + 2 : end + 2 + data[end + 1]].decode()


def table_map(data: bytes, charsets: Charsets | None = None) -> TableMap:
    """Return the table's description from a TABLE_MAP's body after the table id and the flags. Raises Unsupported."""
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
    columns: list[tuple[int, bytes]] = []
    for i, type in enumerate(types):
        if type not in METADATA_BYTES:
            raise Unsupported(f"column {names[i] if names else i + 1} of {schema}.{table} has a type that labkit does not know ({type})")
        meta = data[meta_at : meta_at + METADATA_BYTES[type]]
        meta_at += len(meta)
        columns.append((meta[0] if type == STRING and meta[0] in (ENUM, SET) else type, meta))
    known = charsets or {}
    texts = iter(_charsets(optional, DEFAULT_CHARSET, COLUMN_CHARSET, sum(real in CHARACTER_TYPES for real, _ in columns), known))
    choices = iter(_charsets(optional, ENUM_DEFAULT_CHARSET, ENUM_COLUMN_CHARSET, sum(real in (ENUM, SET) for real, _ in columns), known))
    enums, sets = _choices(optional.get(ENUM_VALUES, b"")), _choices(optional.get(SET_VALUES, b""))
    made = []
    for i, (real, meta) in enumerate(columns):
        is_unsigned = next(unsigned, False) if numeric[i] else False
        charset = next(texts) if real in CHARACTER_TYPES else next(choices) if real in (ENUM, SET) else "utf8mb4"
        values = next(enums, ()) if real == ENUM else next(sets, ()) if real == SET else ()
        decoded = tuple(value.decode(charset_codec(charset) or "utf-8", "replace") for value in values)
        made.append(Column(names[i] if names else "", real, meta, bool(nulls >> i & 1), is_unsigned, decoded, charset))
    return TableMap(schema, table, tuple(made))


def _charsets(optional: dict[int, bytes], default: int, each: int, count: int, known: Charsets) -> list[str]:
    """Return the character sets of the text columns.

    The metadata holds either one default collation with exceptions, by the column's number among the text columns, or one collation for
    each.
    """
    if each in optional:
        found = list(_numbers(optional[each]))
        return [known.get(collation, "utf8mb4") for collation in [*found, *[0] * count][:count]]
    usual, *others = [*_numbers(optional.get(default, b""))] or [0]
    exceptions = dict(zip(others[::2], others[1::2], strict=False))
    return [known.get(exceptions.get(i, usual), "utf8mb4") for i in range(count)]


def _numbers(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        number, at = length(data, at)
        yield number


def length(data: bytes, at: int) -> tuple[int, int]:
    """Return a length-encoded integer, and the offset after it."""
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
    """Yield bits, the most significant bit of each byte first."""
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


def _choices(data: bytes) -> Iterator[tuple[bytes, ...]]:
    at = 0
    while at < len(data):
        count, at = length(data, at)
        values = []
        for _ in range(count):
            size, at = length(data, at)
            values.append(data[at : at + size])
            at += size
        yield tuple(values)


def decoder(table: TableMap, wanted: Sequence[str], present: int | None = None, raw: Collection[str] = ()) -> Decoder:
    """Build a function for this table that decodes the wanted columns of a row and skips the others.

    `present` has a bit for each column that the rows contain; without it, they contain all. Values come as fields of a line: numbers and
    times unchanged, texts quoted, NULL empty; a `raw` column as bytes in UTF-8, or None. Column names are compared as MySQL does, without
    regard to case. ALIVE yields whether a row of a system-versioned table is its current version. Raises Unsupported if a wanted column is
    missing or has an unusual type.

    The function is generated as source text, once for each table: a loop over the columns of every row would take three times as long.
    """
    columns = [column for i, column in enumerate(table.columns) if present is None or present >> i & 1]
    names = [column.name.lower() for column in columns]
    absent = next((name for name in wanted if name != ALIVE and name not in names), None)
    if absent is not None:
        there = any(column.name.lower() == absent for column in table.columns)
        how = "was logged without its column" if there else "has no column"
        raise Unsupported(f"{table.schema}.{table.table} {how} {absent}" + (" (binlog_row_image is not FULL)" if there else ""))
    places: dict[str, Any] = {"decimal": decimal, "datetime2": datetime2, "timestamp2": timestamp2, "day": day, "little": int.from_bytes}
    lines = ["def row(b, o):"]
    bitmap = (len(columns) + 7) // 8
    if bitmap == 1:
        lines += [" n = b[o]"]
    else:
        lines += [f" n = little(b[o:o + {bitmap}], 'little')"]
    lines += [f" o += {bitmap}"]
    for i, column in enumerate(columns):
        use = f"v{i}" if names[i] in wanted else ""
        is_raw = names[i] in raw
        step = _alive(column, i, places) if ALIVE in wanted and names[i] == ROW_END else _reading(table, column, i, use, places, is_raw)
        if column.nullable:
            lines += [f" if n & {1 << i}:", f"  {use} = {None if is_raw else repr('')}" if use else "  pass", " else:"]
            lines += [f"  {line}" for line in step]
        else:
            lines += [f" {line}" for line in step]
    results = [ALIVE if name == ALIVE else f"v{names.index(name)}" for name in wanted]
    lines.append(f" return ({', '.join(results)}{',' if results else ''}), o")
    exec("\n".join(lines), places)
    made: Decoder = places["row"]
    return made


def is_versioned(table: TableMap) -> bool:
    return any(column.name.lower() == ROW_END and column.type in (TIMESTAMP2, 8) for column in table.columns)


def _alive(column: Column, i: int, places: dict[str, Any]) -> list[str]:
    """Return statements that read the row's end, which is a time or a transaction number.

    In a current row all its bits are set, except for the sign bit of a time in older servers.
    """
    places["no_end"] = NO_END
    return [f"{ALIVE} = b[o:o + 4] in no_end", *_reading(TableMap("", "", ()), column, i, "", places, False)]


def _reading(table: TableMap, column: Column, i: int, use: str, places: dict[str, Any], is_raw: bool) -> list[str]:
    """Return statements that read column `i` at offset `o` into the variable `use`, unless that is empty, and advance `o`."""
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
    if kind in TEXT_TYPES:
        if use:
            places[f"text{i}"] = _text_of(table, column, is_raw)
        return _text(use, _length_bytes(kind, meta), f"text{i}")
    if kind in (JSON, GEOMETRY, VECTOR) and not use:
        return _text(use, meta[0], "")
    if kind == ENUM:
        places[f"enum{i}"] = {index + 1: _kept(value, is_raw) for index, value in enumerate(column.values)}
        number = "b[o]" if meta[1] == 1 else "b[o] | b[o + 1] << 8"
        return _fixed(use, f"enum{i}.get({number}, {_kept('', is_raw)!r})", meta[1])
    if kind == SET:
        places[f"set{i}"] = partial(_members, column.values, is_raw)
        return _fixed(use, f"set{i}(b[o:o + {meta[1]}])", meta[1])
    if kind == DECIMAL:
        size = decimal_size(meta[0], meta[1])
        return _fixed(use, f"decimal(b[o:o + {size}], {meta[0]}, {meta[1]})", size)
    fraction = (meta[0] + 1) // 2 if meta else 0
    bits = meta[1] + (meta[0] > 0) if kind == BIT else 0
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
        BIT: (bits, f"little(b[o:o + {bits}], 'big')"),
    }
    places |= {"float4": Struct("<f").unpack_from, "float8": Struct("<d").unpack_from}
    if kind not in simple or (use and not simple[kind][1]):
        type = TYPE_NAMES.get(kind, f"type {kind}")
        where = f"column {column.name or i + 1} of {table.schema}.{table.table}"
        raise Unsupported(f"{where} is of {type}, which labkit does not read from the binlog")
    size, value = simple[kind]
    return _fixed(use, value, size)


TEXT_TYPES = (VARCHAR, VAR_STRING, STRING, BLOB, BLOB_COMPRESSED, VARCHAR_COMPRESSED)


def _length_bytes(kind: int, meta: bytes) -> int:
    if kind in (BLOB, BLOB_COMPRESSED):
        return meta[0]
    longest = meta[1] | ((meta[0] & 0x30) ^ 0x30) << 4 if kind == STRING else int.from_bytes(meta, "little")
    return 1 if longest < 256 else 2


def _kept(text: str, is_raw: bool) -> Any:
    return text.encode() if is_raw else quoted(text)


def _text_of(table: TableMap, column: Column, is_raw: bool) -> Callable[[bytes], Any]:
    """Return a function that converts a stored text for the evidence."""
    codec = charset_codec(column.charset)
    if codec is None:
        where = f"column {column.name} of {table.schema}.{table.table}"
        raise Unsupported(f"{where} is in the character set {column.charset}, which labkit does not read from the binlog")
    if column.type in (BLOB_COMPRESSED, VARCHAR_COMPRESSED):
        return lambda data: _kept(_inflated(data).decode(codec, "replace"), is_raw)
    if is_raw:
        return bytes if codec == "utf-8" else lambda data: data.decode(codec, "replace").encode()
    return lambda data: quoted(data.decode(codec, "replace"))


def _inflated(data: bytes) -> bytes:
    """Inflate a text of a COMPRESSED column. Its first byte holds the method and the size of the length field.

    https://mariadb.com/kb/en/storage-engine-independent-column-compression/
    """
    if not data or not data[0]:
        return data[1:]
    return zlib.decompress(data[1 + (data[0] & 7) :], -zlib.MAX_WBITS if data[0] & 8 else zlib.MAX_WBITS)


def _members(values: tuple[str, ...], is_raw: bool, data: bytes) -> Any:
    bits = int.from_bytes(data, "little")
    return _kept(",".join(value for i, value in enumerate(values) if bits >> i & 1), is_raw)


def _fixed(use: str, value: str, size: int) -> list[str]:
    return [f"{use} = {value}; o += {size}" if use else f"o += {size}"]


def _text(use: str, length_bytes: int, turned: str) -> list[str]:
    size = " | ".join(f"b[o + {k}] << {8 * k}" if k else "b[o]" for k in range(length_bytes))
    if not use:
        return [f"o += {length_bytes} + ({size})"]
    return [f"s = o + {length_bytes}; o = s + ({size}); {use} = {turned}(b[s:o])"]


def decimal_size(precision: int, scale: int) -> int:
    """Return the size of a DECIMAL(precision, scale) in bytes."""
    whole, part = divmod(precision - scale, 9), divmod(scale, 9)
    return 4 * (whole[0] + part[0]) + DIGIT_BYTES[whole[1]] + DIGIT_BYTES[part[1]]


@lru_cache(maxsize=50_000)  # an amount occurs several times: before, after, reserved
def decimal(data: bytes, precision: int, scale: int) -> str:
    """Decode a DECIMAL.

    Nine digits take four bytes, big-endian, with the remaining digits at the outer ends. The sign is the first bit, and a negative number
    is stored inverted. https://mariadb.com/kb/en/rows_event_v1v2-rows_compressed_event_v1/
    """
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
    """Decode a DATETIME.

    The value is year and month as one number, then day, hour, minute and second, in 40 bits, with an offset so that it sorts as bytes.
    """
    number = int.from_bytes(data[at : at + 5], "big") - (1 << 39)
    months, second_of_day = number >> 22, number & 0x1FFFF
    years, month = divmod(months, 13)
    text = f"{years:04}-{month:02}-{number >> 17 & 31:02} {second_of_day >> 12:02}:{second_of_day >> 6 & 63:02}:{second_of_day & 63:02}"
    return text + _fraction(data, at + 5, digits)


def timestamp2(data: bytes, at: int, digits: int) -> str:
    """Decode a TIMESTAMP: seconds since 1970, in UTC."""
    seconds = int.from_bytes(data[at : at + 4], "big")
    return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S") + _fraction(data, at + 4, digits)


def _fraction(data: bytes, at: int, digits: int) -> str:
    size = (digits + 1) // 2
    return f".{int.from_bytes(data[at : at + size], 'big') * 100 ** (3 - size):06}" if size else ""
