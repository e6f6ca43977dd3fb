"""The schemas, tables and accounts of the services: made once, and again whenever a `schema.sql` or a password has changed."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.errors import UserError
from labkit.stack import sql
from labkit.stack.accounts import Accounts
from labkit.stack.model import Account

ROOT = Account("localhost", 0, "root", "")  # over the socket alone
TIMEOUT = 30.0  # seconds a statement may take
SOURCE = "SOURCE /labkit/"  # how provision.sql names a file of the services, as a container sees it
OF_TABLES = ("CREATE DATABASE ", "USE ", "CREATE TABLE ")
OF_ADMIN = (("GRANT", "TO 'admin'"), ("REVOKE", "FROM 'admin'"))  # what the administrator cannot run any more once it has run


def statements(source: Path) -> list[str]:
    """All of it as SQL that may run again at any time. Raises UserError when `source` is not a folder of services."""
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
        raise UserError(f"{source} is not a folder of services: {file} is missing.", "labkit up --services DIR") from error


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


def digest(source: Path, accounts: Accounts) -> str:
    return hashlib.sha256("\0".join([*statements(source), accounts.digest()]).encode()).hexdigest()[:16]


def _with_passwords(statement: str, accounts: Accounts) -> str:
    """Here and no earlier: what is told of a statement that fails has none."""
    return re.sub(r"\$\{(\w+)_PASSWORD\}", lambda found: accounts.mysql(found[1].lower()), statement)


def _may_reach_files(cursor: Any) -> bool:
    cursor.execute("SHOW GRANTS")
    grants = "\n".join(grant for (grant,) in cursor.fetchall())
    return bool(re.search(r"^GRANT (ALL PRIVILEGES|[^`']*\bFILE\b)[^`']* ON \*\.\*", grants, re.MULTILINE))


@contextmanager
def _first(accesses: Sequence[Account | Path]) -> Iterator[Any]:
    """Raises OSError with what the first of them was answered."""
    refused = None
    for access in accesses:
        with ExitStack() as opened:
            try:
                cursor = opened.enter_context(connected(access, TIMEOUT))
            except OSError as error:
                refused = refused or error
                continue
            yield cursor
            return
    raise refused or OSError("nobody may log in")


@contextmanager
def connected(access: Account | Path, timeout: float) -> Iterator[Any]:
    """As sql.connected; a path is the socket, for root. Raises OSError."""
    account, options = (ROOT, {"unix_socket": str(access)}) if isinstance(access, Path) else (access, {})
    with sql.connected(account, timeout, **options) as cursor:
        yield cursor


def apply(source: Path, accesses: Sequence[Account | Path], accounts: Accounts) -> None:
    """Make what is missing, through the first of these that the server lets in. Raises UserError with the statement that failed."""
    _run(statements(source), accesses, accounts)


def mend_tables(source: Path, accesses: Sequence[Account | Path], accounts: Accounts) -> None:
    """As apply, the schemas, tables and columns alone, which is quick: what somebody dropped or renamed is there again."""
    _run([statement for statement in statements(source) if statement.startswith(OF_TABLES)], accesses, accounts)


def _run(wanted: Sequence[str], accesses: Sequence[Account | Path], accounts: Accounts) -> None:
    statement = ""
    try:
        with _first(accesses) as cursor:
            beyond = () if _may_reach_files(cursor) else OF_ADMIN
            for statement in wanted:
                if any(statement.startswith(verb) and whom in statement for verb, whom in beyond):
                    continue
                cursor.execute(_with_passwords(statement, accounts))
                for column in _columns_since(cursor, statement):
                    cursor.execute(column)
    except OSError as error:
        message = f"The tables of the services could not be made: {error}."
        raise UserError(message, "fix that schema.sql, then labkit up", details=statement.splitlines()) from error
