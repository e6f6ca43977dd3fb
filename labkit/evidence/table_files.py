"""Tables on their way into the evidence. The process that reads a store writes CSV; DuckDB loads it with types.

DuckDB loads a million rows a second that way, against 1,700 with executemany.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FLUSH = 1 << 20  # characters
QUOTE = "\2"  # a character that texts do not contain: JSON is full of real quotes, and doubling them takes longer than all other work
LONGEST = 500_000  # characters of a text, or bytes of a value, that are stored: several fit the longest line that DuckDB reads
SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1  # the range of a BIGINT
MICROSECONDS = (-62_135_596_800_000_000, 253_402_300_799_999_999)  # the years 1 to 9999, the range of Python's times


def quoted(text: str) -> str:
    """Return a text as a CSV field. It is never mistaken for NULL, which is an empty field without quotes."""
    if len(text) > LONGEST:
        text = text[:LONGEST]
    if QUOTE in text:
        text = text.replace(QUOTE, QUOTE + QUOTE)
    return QUOTE + text + QUOTE


def optional(text: str | None) -> str:
    return "" if text is None else quoted(text)


def number(value: int | None) -> str:
    """Return a number as a CSV field; empty beyond 64 bits, where no row of the application has an id."""
    return "" if value is None or not SMALLEST <= value <= LARGEST else str(value)


def plain(text: str) -> str:
    """Return a stored number as a CSV field, unchecked: loading it shows whether it is a number."""
    return text if text.isascii() and text.replace(".", "").replace("-", "").isdecimal() else quoted(text)


def milliseconds(value: int | bytes | str | None) -> str:
    """Return a time in milliseconds as a CSV field in microseconds; empty if it is not a time."""
    try:
        micros = int(value) * 1000 if value is not None else None
    except ValueError:
        return ""
    return "" if micros is None or not MICROSECONDS[0] <= micros <= MICROSECONDS[1] else str(micros)


class TableFile:
    """Lines for one table, one CSV column for each column of the table. `load` converts them."""

    def __init__(self, folder: Path, table: str) -> None:
        self._file = (folder / f"{table}.csv").open("w", encoding="utf-8", errors="replace", newline="\n")
        self._lines: list[str] = []
        self._size = 0

    def add(self, line: str) -> None:
        """Add one line, without its newline."""
        self._lines.append(line)
        self._size += len(line)
        if self._size > FLUSH:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            self._lines.append("")
            self._file.write("\n".join(self._lines))
            self._lines, self._size = [], 0

    def close(self) -> None:
        self.flush()
        self._file.close()


class TableFiles:
    """The files of several tables, closed together."""

    def __init__(self, folder: Path, tables: Iterable[str]) -> None:
        self._files = {table: TableFile(folder, table) for table in tables}

    def __getitem__(self, table: str) -> TableFile:
        return self._files[table]

    def __enter__(self) -> "TableFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()


@dataclass(frozen=True)
class Unconverted:
    """Values that do not fit the type of their column in the evidence. They are NULL there."""

    table: str
    column: str
    type: str  # the type that they should have
    text: str  # the first of the values
    count: int


def load(connection: "DuckDBPyConnection", folder: Path) -> list[Unconverted]:
    """Load every file of a folder into the table of its name. Times are in microseconds since 1970, bytes in hexadecimal digits.

    Every row is loaded, whatever its fields contain. Returns the values that could not be converted.
    """
    unconverted = []
    for path in sorted(folder.glob("*.csv")):
        if path.stat().st_size:
            unconverted += load_table(connection, path.stem, path)
    return unconverted


_COLUMNS = """
SELECT column_name, data_type FROM duckdb_columns()
WHERE table_name = ? AND schema_name = 'main' AND database_name = current_database() ORDER BY column_index
"""
_FORMAT = (
    f"header = false, auto_detect = false, delim = ',', quote = '{QUOTE}', escape = '{QUOTE}', new_line = '\\n', nullstr = '',"
    " allow_quoted_nulls = false, max_line_size = 8000000, buffer_size = 16000000"
)


MONEY = "DECIMAL(38,2)"
# Placeholders for a text that is not a value of its column's type, until `_unconverted` finds them. Checking each text twice would be too
# slow.
_WRONG_NUMBER, _WRONG_MONEY = f"({SMALLEST})::BIGINT", f"(-{'9' * 36}.99)::{MONEY}"
_FORMS = {
    "BIGINT": f"CASE WHEN {{0}} IS NOT NULL THEN coalesce(TRY_CAST({{0}} AS BIGINT), {_WRONG_NUMBER}) END",
    # Short texts take the fast path: converting to a 128-bit decimal takes ten times as long.
    "HUGEINT": f"CASE WHEN {{0}} IS NOT NULL THEN coalesce(TRY_CAST({{0}} AS HUGEINT), {_WRONG_NUMBER}) END",
    MONEY: "CASE WHEN {0} IS NOT NULL THEN coalesce(CASE WHEN length({0}) < 17 THEN TRY_CAST({0} AS DECIMAL(18,2)) END,"
    f" TRY_CAST({{0}} AS {MONEY}), {_WRONG_MONEY}) END",
    "TIMESTAMP": f"CASE WHEN TRY_CAST({{0}} AS BIGINT) BETWEEN {MICROSECONDS[0]} AND {MICROSECONDS[1]}"
    " THEN make_timestamp({0}::BIGINT) END",
    "BLOB": "unhex({0})",
    "VARCHAR": "{0}",
}
_WRONG = {"BIGINT": _WRONG_NUMBER, "HUGEINT": _WRONG_NUMBER, MONEY: _WRONG_MONEY}


def load_table(connection: "DuckDBPyConnection", table: str, path: Path) -> list[Unconverted]:
    columns: list[tuple[str, str]] = connection.execute(_COLUMNS, [table]).fetchall()
    values = ", ".join(_FORMS.get(type, f"TRY_CAST({{0}} AS {type})").format(f'"{name}"') for name, type in columns)
    file = _file(columns)
    connection.execute(f"INSERT INTO {table} SELECT {values} FROM {file}", [str(path)])
    return [each for name, type in columns if type in _WRONG for each in _unconverted(connection, table, name, type, file, path)]


def _file(columns: Sequence[tuple[str, str]]) -> str:
    """Return SQL that reads a file as texts, so that a value of the wrong type does not abort the load."""
    names = ", ".join(f"'{name}': 'VARCHAR'" for name, _ in columns)
    return f"read_csv(?, columns = {{{names}}}, {_FORMAT})"


def _unconverted(connection: "DuckDBPyConnection", table: str, name: str, type: str, file: str, path: Path) -> Iterator[Unconverted]:
    wrong = f'"{name}" = {_WRONG[type]}'
    if connection.execute(f"SELECT 1 FROM {table} WHERE {wrong} LIMIT 1").fetchone() is None:
        return
    found = connection.execute(
        f'SELECT min("{name}"), count(*) FROM {file} WHERE "{name}" IS NOT NULL AND TRY_CAST("{name}" AS {type}) IS NULL', [str(path)]
    ).fetchone()
    if found is not None and found[1]:
        connection.execute(f'UPDATE {table} SET "{name}" = NULL WHERE {wrong}')
        yield Unconverted(table, name, type, str(found[0]), int(found[1]))
