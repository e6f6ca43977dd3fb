"""Decoders for the rows of one table, generated as Python source.

https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Rows__event.html
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from struct import Struct
from typing import Any

from labkit.evidence.binlog import charsets, column_types, values
from labkit.evidence.binlog.column_types import (
    BIT,
    COMPRESSED_TEXTS,
    DATE,
    DATETIME2,
    DECIMAL,
    DOUBLE,
    ENUM,
    FLOAT,
    GEOMETRY,
    INTEGERS,
    JSON,
    NEWDATE,
    SET,
    TEXTS,
    TIME2,
    TIMESTAMP,
    TIMESTAMP2,
    VECTOR,
    YEAR,
)
from labkit.evidence.binlog.table_map import BinlogColumn, TableMap, Unsupported
from labkit.evidence.table_files import quoted

Decoder = Callable[[bytes, int], tuple[tuple[Any, ...], int]]
"""(packet, offset of a row) → (values of the wanted columns as fields of a line, offset of the next row)."""

Namespace = dict[str, Any]
"""The global names of the generated function."""

ALIVE = "alive"  # a pseudo-column: whether a row of a system-versioned table is its current version
ROW_END, NO_END = "row_end", (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff")  # the usual name of the row's end; its first bytes in a current row


def decoder(table: TableMap, wanted: Sequence[str], present: int | None = None, raw: Collection[str] = ()) -> Decoder:
    """Build a function for this table that decodes the wanted columns of a row and skips the others.

    `present` has a bit for each column that the rows contain; without it, they contain all. Values come as fields of a line: numbers and
    times unchanged, texts quoted, NULL empty; a `raw` column as bytes in UTF-8, or None. Column names are compared as MySQL does, without
    regard to case. ALIVE yields whether a row of a system-versioned table is its current version. Raises Unsupported if a wanted column is
    missing or has an unusual type.

    The function is generated as source text, once for each table: a loop over the columns of every row would take three times as long. In
    it, `b` is the packet, `o` the current offset, `n` the bitmap of NULLs, and `v0`, `v1`, … are the values of the columns.
    """
    columns = [column for i, column in enumerate(table.columns) if present is None or present >> i & 1]
    names = [column.name.lower() for column in columns]
    absent = next((name for name in wanted if name != ALIVE and name not in names), None)
    if absent is not None:
        there = any(column.name.lower() == absent for column in table.columns)
        how = "was logged without its column" if there else "has no column"
        raise Unsupported(f"{table.schema}.{table.table} {how} {absent}" + (" (binlog_row_image is not FULL)" if there else ""))
    namespace: Namespace = {
        **{"little": int.from_bytes, "decimal": values.decimal, "date": values.date},
        **{"datetime": values.datetime2, "timestamp": values.timestamp2},
        **{"float4": Struct("<f").unpack_from, "float8": Struct("<d").unpack_from},
    }
    lines = ["def row(b, o):"]
    bitmap = (len(columns) + 7) // 8
    if bitmap == 1:
        lines += [" n = b[o]"]
    else:
        lines += [f" n = little(b[o:o + {bitmap}], 'little')"]
    lines += [f" o += {bitmap}"]
    for i, column in enumerate(columns):
        variable = f"v{i}" if names[i] in wanted else ""
        is_raw = names[i] in raw
        if ALIVE in wanted and names[i] == ROW_END:
            step = _alive(column, i, namespace)
        else:
            step = _step(table, column, i, variable, namespace, is_raw)
        if column.nullable:
            null = f"{variable} = {None if is_raw else repr('')}" if variable else "pass"
            lines += [f" if n & {1 << i}:", f"  {null}", " else:", *(f"  {line}" for line in step)]
        else:
            lines += [f" {line}" for line in step]
    results = [ALIVE if name == ALIVE else f"v{names.index(name)}" for name in wanted]
    lines.append(f" return ({', '.join(results)}{',' if results else ''}), o")
    exec("\n".join(lines), namespace)
    row: Decoder = namespace["row"]
    return row


def is_versioned(table: TableMap) -> bool:
    """Whether MariaDB keeps earlier versions of the table's rows: the row's end is a time or a transaction number."""
    return any(column.name.lower() == ROW_END and column.type in (TIMESTAMP2, 8) for column in table.columns)


def _alive(column: BinlogColumn, i: int, namespace: Namespace) -> list[str]:
    """Return statements that read whether the row is current from the row's end.

    In a current row all bits of the end are set, except for the sign bit of a time in older servers.
    """
    namespace["no_end"] = NO_END
    return [f"{ALIVE} = b[o:o + 4] in no_end", *_step(TableMap("", "", ()), column, i, "", namespace, False)]


def _step(table: TableMap, column: BinlogColumn, i: int, variable: str, namespace: Namespace, is_raw: bool) -> list[str]:
    """Return statements that read column `i` at offset `o` into the variable, unless its name is empty, and advance `o`."""
    kind, meta = column.type, column.meta
    if kind in INTEGERS:
        size = INTEGERS[kind]
        if size == 3:
            value = f"little(b[o:o + 3], 'little', signed={not column.unsigned})"
        else:
            code = {1: "b", 2: "h", 4: "i", 8: "q"}[size]
            namespace[f"int{i}"] = Struct("<" + (code.upper() if column.unsigned else code)).unpack_from
            value = f"int{i}(b, o)[0]"
        return _fixed(variable, value, size)
    if kind in TEXTS:
        if variable:
            namespace[f"text{i}"] = _text_converter(table, column, is_raw)
        return _text(variable, column_types.length_bytes(kind, meta), f"text{i}")
    if kind in (JSON, GEOMETRY, VECTOR) and not variable:
        return _text(variable, meta[0], "")
    if kind == ENUM:
        namespace[f"enum{i}"] = {number: _stored(value, is_raw) for number, value in enumerate(column.values, 1)}
        number = "b[o]" if meta[1] == 1 else "b[o] | b[o + 1] << 8"
        return _fixed(variable, f"enum{i}.get({number}, {_stored('', is_raw)!r})", meta[1])
    if kind == SET:
        namespace[f"set{i}"] = partial(_members, column.values, is_raw)
        return _fixed(variable, f"set{i}(b[o:o + {meta[1]}])", meta[1])
    size, value = _simple(table, column, i, variable)
    return _fixed(variable, value, size)


def _simple(table: TableMap, column: BinlogColumn, i: int, variable: str) -> tuple[int, str]:
    """Return size and expression for a value of fixed size. Raises Unsupported if there is none and the value is wanted."""
    kind, meta = column.type, column.meta
    digits = meta[0] if meta else 0
    fraction = (digits + 1) // 2
    bits = meta[1] + (meta[0] > 0) if kind == BIT else 0
    decimal = values.decimal_size(meta[0], meta[1]) if kind == DECIMAL else 0
    simple = {
        DECIMAL: (decimal, f"decimal(b[o:o + {decimal}], {digits}, {meta[1] if decimal else 0})"),
        DATETIME2: (5 + fraction, f"datetime(b, o, {digits})"),
        TIMESTAMP2: (4 + fraction, f"timestamp(b, o, {digits})"),
        TIME2: (3 + fraction, ""),
        TIMESTAMP: (4, "timestamp(b[o:o + 4][::-1], 0, 0)"),
        DATE: (3, "date(b, o)"),
        NEWDATE: (3, "date(b, o)"),
        YEAR: (1, "b[o] + 1900 if b[o] else 0"),
        FLOAT: (4, "float4(b, o)[0]"),
        DOUBLE: (8, "float8(b, o)[0]"),
        BIT: (bits, f"little(b[o:o + {bits}], 'big')"),
    }
    if kind not in simple or (variable and not simple[kind][1]):
        type = column_types.NAMES.get(kind, f"type {kind}")
        where = f"column {column.name or i + 1} of {table.schema}.{table.table}"
        raise Unsupported(f"{where} is of {type}, which labkit does not read from the binlog")
    return simple[kind]


def _fixed(variable: str, value: str, size: int) -> list[str]:
    """Return statements that read a value of fixed size."""
    return [f"{variable} = {value}; o += {size}" if variable else f"o += {size}"]


def _text(variable: str, length_bytes: int, converter: str) -> list[str]:
    """Return statements that read a value with its length before it."""
    size = " | ".join(f"b[o + {k}] << {8 * k}" if k else "b[o]" for k in range(length_bytes))
    if not variable:
        return [f"o += {length_bytes} + ({size})"]
    return [f"s = o + {length_bytes}; o = s + ({size}); {variable} = {converter}(b[s:o])"]


def _text_converter(table: TableMap, column: BinlogColumn, is_raw: bool) -> Callable[[bytes], Any]:
    """Return a function that converts a text of the binlog for the evidence."""
    codec = charsets.codec(column.charset)
    if codec is None:
        where = f"column {column.name} of {table.schema}.{table.table}"
        raise Unsupported(f"{where} is in the character set {column.charset}, which labkit does not read from the binlog")
    if column.type in COMPRESSED_TEXTS:
        return lambda data: _stored(values.inflated(data).decode(codec, "replace"), is_raw)
    if is_raw:
        return bytes if codec == "utf-8" else lambda data: data.decode(codec, "replace").encode()
    return lambda data: quoted(data.decode(codec, "replace"))


def _members(members: tuple[str, ...], is_raw: bool, data: bytes) -> Any:
    """Convert a value of a SET, which has a bit for each member."""
    bits = int.from_bytes(data, "little")
    return _stored(",".join(member for i, member in enumerate(members) if bits >> i & 1), is_raw)


def _stored(text: str, is_raw: bool) -> Any:
    """Return a text in the form that the decoder returns."""
    return text.encode() if is_raw else quoted(text)
