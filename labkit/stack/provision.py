"""The services' schemas, tables and accounts. They are created once, and updated when a `schema.sql` or a password changes."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from labkit.account import Account
from labkit.errors import UserError
from labkit.stack import sql
from labkit.stack.accounts import ADMIN, OBSERVER, Accounts, mysql_users
from labkit.stack.model import Stack
from labkit.system.model import Profile

ROOT = Account("localhost", 0, "root", "")  # only over the socket
TIMEOUT = 30.0  # seconds per statement
SOURCE = "SOURCE /labkit/"  # how provision.sql refers to a file of the services, by its path in the container
MESSAGING = "services/messaging/schema.sql"  # the tables that every service's schema has
OF_TABLES = ("CREATE DATABASE ", "USE ", "CREATE TABLE ")
OF_LABKIT = (
    f"GRANT SELECT, PROCESS, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '{OBSERVER}'@'%'",
    f"GRANT ALL ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION",
    f"REVOKE FILE, SHUTDOWN, CREATE TABLESPACE ON *.* FROM '{ADMIN}'@'%'",
)
OF_ADMIN = (("GRANT", "TO 'admin'"), ("REVOKE", "FROM 'admin'"))  # statements that the administrator can no longer run once they have run


def statements(source: Path, profile: Profile) -> list[str]:
    """Return the provisioning SQL. It may run any number of times. Raises UserError when `source` is not a folder of services."""
    found = []
    for statement in plan(profile):
        if statement.startswith(SOURCE):
            found += _split(_file_of_services(source, statement.removeprefix(SOURCE)))
        else:
            found.append(statement)
    return found


def plan(profile: Profile) -> list[str]:
    """Return the statements for a profile, before files and passwords are filled in.

    SOURCE names a file of the services. ${X_PASSWORD} stands for the password of account x. compose/mysql/provision.sql, which the image
    runs, has the same statements for containers.
    """
    owners = [service for service in profile.services if service.schema]
    of_services = [service for service in profile.services if service.account]
    users = [*(service.account for service in of_services), OBSERVER, ADMIN]
    found: list[str] = []
    for service in owners:
        found += [f"CREATE DATABASE IF NOT EXISTS {service.schema} CHARACTER SET utf8mb4", f"USE {service.schema}"]
        found += [f"{SOURCE}{file}" for file in (MESSAGING, f"{service.module.replace('.', '/')}/schema.sql")]
    found += ["SET SESSION sql_log_bin = 0", "DROP USER IF EXISTS 'root'@'%'"]
    found += [f"CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '${{{user.upper()}_PASSWORD}}'" for user in users]
    found += [f"ALTER USER '{user}'@'%' IDENTIFIED BY '${{{user.upper()}_PASSWORD}}'" for user in users]
    for service in of_services:
        if service.schema:
            found.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {service.schema}.* TO '{service.account}'@'%'")
        else:  # a service without a schema reads the outboxes of others and marks the published messages
            found += [f"GRANT SELECT, UPDATE ON {owner.schema}.message TO '{service.account}'@'%'" for owner in owners]
    return [*found, *OF_LABKIT]


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
    """Return statements for the columns that a table from an earlier labkit lacks, or has with another collation."""
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


def digest(stack: Stack) -> str:
    """Return a digest that changes with the tables, accounts or passwords, and does not reveal them."""
    passwords = "\0".join(stack.accounts.mysql(user) for user in mysql_users(stack.profile))
    said = [*statements(stack.source, stack.profile), hashlib.sha256(passwords.encode()).hexdigest()[:16]]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:16]


def _with_passwords(statement: str, accounts: Accounts) -> str:
    """Fill in the passwords. This happens as late as possible, so that the error of a failed statement contains none."""
    return re.sub(r"\$\{(\w+)_PASSWORD\}", lambda found: accounts.mysql(found[1].lower()), statement)


def _may_reach_files(cursor: Any) -> bool:
    cursor.execute("SHOW GRANTS")
    grants = "\n".join(grant for (grant,) in cursor.fetchall())
    return bool(re.search(r"^GRANT (ALL PRIVILEGES|[^`']*\bFILE\b)[^`']* ON \*\.\*", grants, re.MULTILINE))


@contextmanager
def _first(accesses: Sequence[Account | Path]) -> Iterator[Any]:
    """Yield a cursor of the first access that works. Raises OSError with the answer to the first access when none works."""
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
    raise refused or OSError("no account may log in")


@contextmanager
def connected(access: Account | Path, timeout: float) -> Iterator[Any]:
    """As sql.connected. A path is a socket, used as root. Raises OSError."""
    account, options = (ROOT, {"unix_socket": str(access)}) if isinstance(access, Path) else (access, {})
    with sql.connected(account, timeout, **options) as cursor:
        yield cursor


def apply(stack: Stack, accesses: Sequence[Account | Path]) -> None:
    """Create what is missing, through the first access that the server accepts. Raises UserError with the failed statement."""
    run(statements(stack.source, stack.profile), accesses, stack.accounts)


def repair_tables(stack: Stack, accesses: Sequence[Account | Path]) -> None:
    """Restore dropped or renamed schemas, tables and columns. As `apply`, but without the accounts, which makes it quick."""
    wanted = statements(stack.source, stack.profile)
    run([statement for statement in wanted if statement.startswith(OF_TABLES)], accesses, stack.accounts)


def run(wanted: Sequence[str], accesses: Sequence[Account | Path], accounts: Accounts) -> None:
    """Run these statements through the first access that the server accepts. Raises UserError with the failed statement."""
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
        message = f"The tables of the services could not be created: {error}."
        raise UserError(message, "fix that schema.sql, then labkit up", details=statement.splitlines()) from error
