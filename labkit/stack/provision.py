"""The schemas, tables and accounts of the services: made once, and again whenever a `schema.sql` has changed."""

import hashlib
from pathlib import Path

from labkit.errors import UserError
from labkit.stack import sql
from labkit.stack.model import MysqlAccount

TABLES = {
    "customer_db": ("services/messaging/schema.sql", "services/customers/schema.sql"),
    "order_db": ("services/messaging/schema.sql", "services/orders/schema.sql"),
}
DATA_OF_ONE_SERVICE = "SELECT, INSERT, UPDATE, DELETE"
GRANTS = (
    ("customer_service", DATA_OF_ONE_SERVICE, "customer_db.*"),
    ("order_service", DATA_OF_ONE_SERVICE, "order_db.*"),
    ("relay", "SELECT, UPDATE", "customer_db.message"),
    ("relay", "SELECT, UPDATE", "order_db.message"),
    ("observer", "SELECT, PROCESS, REPLICATION SLAVE, REPLICATION CLIENT", "*.*"),
    ("admin", "ALL", "*.*"),
)
ROOT = MysqlAccount("localhost", 0, "root", "")  # over the socket alone
TIMEOUT = 30.0  # seconds a statement may take


def statements(source: Path) -> list[str]:
    """All of it as SQL that may run again at any time. Raises UserError when `source` is no folder of services."""
    found = []
    for schema, files in TABLES.items():
        found += [f"CREATE DATABASE IF NOT EXISTS {schema} CHARACTER SET utf8mb4", f"USE {schema}"]
        for file in files:
            try:
                text = (source / file).read_text(encoding="utf-8")
            except OSError as error:
                raise UserError(f"{source} is no folder of services: {file} is missing.", "labkit up --services DIR") from error
            found += [part.strip() for part in f"{text}\n".split(";\n") if part.strip()]
    found += [f"CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '{user}'" for user in dict.fromkeys(user for user, _, _ in GRANTS)]
    found += [f"GRANT {rights} ON {what} TO '{user}'@'%'" + " WITH GRANT OPTION" * (user == "admin") for user, rights, what in GRANTS]
    return found


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
    except OSError as error:
        message = f"The tables of the services could not be made: {error}."
        raise UserError(message, "mend that schema.sql, then labkit up", details=statement.splitlines()) from error
