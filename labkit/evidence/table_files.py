"""Tables on their way into the evidence: written as CSV by the process that reads a store, read by DuckDB with types.

DuckDB takes a million rows a second that way, and 1,700 through executemany.
"""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FLUSH = 1 << 20  # characters
QUOTE = "\2"  # a character that texts do not have: JSON is full of real quotes, and to double them takes longer than all the rest
LONGEST = 1_000_000  # bytes of one text or value that are kept


def quoted(text: str) -> str:
    """A text as a CSV field; never mistaken for NULL, which is an empty field without quotes."""
    if QUOTE in text:
        text = text.replace(QUOTE, QUOTE + QUOTE)
    return QUOTE + text + QUOTE


def optional(text: str | None) -> str:
    return "" if text is None else quoted(text)


def number(value: int | None) -> str:
    return "" if value is None else str(value)


class TableFile:
    """Lines for one table. `fields` are the columns of the file; what they become is said by `load`."""

    def __init__(self, folder: Path, table: str) -> None:
        self._file = (folder / f"{table}.csv").open("w", encoding="utf-8", errors="replace", newline="\n")
        self._lines: list[str] = []
        self._size = 0

    def add(self, line: str) -> None:
        """One line, without its end."""
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
    """Files for several tables, closed together."""

    def __init__(self, folder: Path, tables: Iterable[str]) -> None:
        self._files = {table: TableFile(folder, table) for table in tables}

    def __getitem__(self, table: str) -> TableFile:
        return self._files[table]

    def __enter__(self) -> "TableFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()


def load(connection: "DuckDBPyConnection", folder: Path) -> None:
    """All files of a folder into the tables of their names; times are given in microseconds since 1970, bytes as hexadecimal digits."""
    for path in sorted(folder.glob("*.csv")):
        if path.stat().st_size:
            load_table(connection, path.stem, path)


_COLUMNS = """
SELECT column_name, data_type FROM duckdb_columns()
WHERE table_name = ? AND schema_name = 'main' AND database_name = current_database() ORDER BY column_index
"""
_FORMAT = (
    f"header = false, auto_detect = false, delim = ',', quote = '{QUOTE}', escape = '{QUOTE}', new_line = '\\n', nullstr = '',"
    " allow_quoted_nulls = false, max_line_size = 4000000, buffer_size = 16000000"
)


MONEY = "DECIMAL(38,2)"
# Texts of ordinary length take the short way: to a 128-bit decimal is ten times as far.
_MONEY_OF = f"CASE WHEN length({{0}}) < 17 THEN {{0}}::DECIMAL(18,2)::{MONEY} ELSE {{0}}::{MONEY} END"


def load_table(connection: "DuckDBPyConnection", table: str, path: Path) -> None:
    columns = connection.execute(_COLUMNS, [table]).fetchall()
    carried = {"TIMESTAMP": "BIGINT", "BLOB": "VARCHAR", MONEY: "VARCHAR"}
    turned = {"TIMESTAMP": "make_timestamp({0})", "BLOB": "unhex({0})", MONEY: _MONEY_OF}
    types = ", ".join(f"'{name}': '{carried.get(type, type)}'" for name, type in columns)
    values = ", ".join(turned.get(type, "{}").format(f'"{name}"') for name, type in columns)
    connection.execute(f"INSERT INTO {table} SELECT {values} FROM read_csv(?, columns = {{{types}}}, {_FORMAT})", [str(path)])
