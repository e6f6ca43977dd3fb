"""The committed rows of the services' tables, and what the services' accounts may read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labkit.checking.checks import NotJudged
from labkit.stack import sql
from labkit.stack.model import Stack
from labkit.system import messaging

DENIED = (1044, 1045, 1142)  # MySQL's codes for "access denied"


@contextmanager
def cursor_on(stack: Stack) -> Iterator[Any]:
    """Yield a cursor of the administrator. Raises NotJudged if the database does not answer."""
    try:
        with sql.connected(stack.mysql) as cursor:
            yield cursor
    except OSError as error:
        raise NotJudged(f"MySQL does not answer: {error}.", next_step="labkit status") from error


def count(stack: Stack, one: str, **where: object) -> int:
    """Return the number of rows of an observed table: `count(stack, "reservation", order_id=17)`. Columns are named as in the evidence."""
    table = next(table for table in stack.profile.tables if table.one == one)
    sources = {column.name: column.source for column in table.columns}
    conditions = " AND ".join(f"{sources[name]} = %s" for name in where) or "TRUE"
    with cursor_on(stack) as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {conditions}", list(where.values()))
        return int(cursor.fetchone()[0])


@dataclass(frozen=True)
class Refusal:
    """Why a database account may not do something."""

    number: int
    text: str

    @property
    def is_denial(self) -> bool:
        return self.number in DENIED


def refusal(stack: Stack, account: str, schema: str) -> Refusal | None:
    """Return why a service's account cannot read the tables of a schema, or None if it can. Raises NotJudged if it cannot log in."""
    import pymysql

    at = stack.mysql_as(account)
    try:
        connection = sql.connect(host=at.host, port=at.port, user=at.user, password=at.password, connect_timeout=5)
    except pymysql.MySQLError as error:
        raise NotJudged(f"{account} cannot log in: {error.args[-1]}.", next_step="labkit status") from error
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {schema}.{messaging.OUTBOX} LIMIT 1")
            return None
    except pymysql.MySQLError as error:
        return Refusal(int(error.args[0]), str(error.args[-1]))
    finally:
        connection.close()


def grants(stack: Stack, account: str) -> list[str]:
    """Return the account's grants, as SHOW GRANTS lists them."""
    with cursor_on(stack) as cursor:
        cursor.execute("SHOW GRANTS FOR %s@'%%'", [account])
        return [str(grant) for (grant,) in cursor.fetchall()]
