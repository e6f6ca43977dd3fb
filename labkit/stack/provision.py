"""The schemas, tables and accounts of the services: made once, and again whenever a `schema.sql` has changed."""

import hashlib
import re
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.errors import UserError
from labkit.stack import sql
from labkit.stack.model import MysqlAccount

ROOT = MysqlAccount("localhost", 0, "root", "")  # over the socket alone
TIMEOUT = 30.0  # seconds a statement may take
SOURCE = "SOURCE /labkit/"  # how provision.sql names a file of the services, as a container sees it


def statements(source: Path) -> list[str]:
    """All of it as SQL that may run again at any time. Raises UserError when `source` is no folder of services."""
    found = []
    for statement in _split((paths.compose_directory() / "mysql/provision.sql").read_text(encoding="utf-8")):
        if statement.startswith(SOURCE):
            found += _split(_file_of_services(source, statement.removeprefix(SOURCE)))
        else:
            found.append(statement)
    return found


def _split(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return [part.strip() for part in "\n".join([*lines, ""]).split(";\n") if part.strip()]


def _file_of_services(source: Path, file: str) -> str:
    try:
        return (source / file).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{source} is no folder of services: {file} is missing.", "labkit up --services DIR") from error


_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \(")
_COLUMN = re.compile(r"^  (?P<name>[a-z_]+) (?P<type>[A-Z].*?),?(?:\s+--.*)?$", re.MULTILINE)


def _columns_since(cursor: Any, statement: str) -> list[str]:
    """Statements for the columns that a table of an earlier labkit has not yet, or that compare their texts in another way there."""
    table = _TABLE.match(statement)
    if table is None:
        return []
    cursor.execute(
        "SELECT column_name, collation_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s", [table[1]]
    )
    there = dict(cursor.fetchall())
    columns = [(c["name"], c["type"]) for c in _COLUMN.finditer(statement)]
    new = [f"ALTER TABLE {table[1]} ADD {name} {type}" for name, type in columns if name not in there]
    other = [(name, type) for name, type in columns if "COLLATE" in type and (there.get(name) or "") not in type]
    return new + [f"ALTER TABLE {table[1]} MODIFY {name} {type.removesuffix('PRIMARY KEY')}" for name, type in other]


def digest(source: Path) -> str:
    return hashlib.sha256("\0".join(statements(source)).encode()).hexdigest()[:16]


def apply(source: Path, server: MysqlAccount | Path) -> None:
    """Make what is missing; a server that has no accounts yet is given by its socket. Raises UserError with the statement that failed."""
    account, options = (ROOT, {"unix_socket": str(server)}) if isinstance(server, Path) else (server, {})
    statement = ""
    try:
        with sql.connected(account, TIMEOUT, **options) as cursor:
            for statement in statements(source):
                cursor.execute(statement)
                for column in _columns_since(cursor, statement):
                    cursor.execute(column)
    except OSError as error:
        message = f"The tables of the services could not be made: {error}."
        raise UserError(message, "mend that schema.sql, then labkit up", details=statement.splitlines()) from error
