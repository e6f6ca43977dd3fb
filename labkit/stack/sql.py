"""labkit's own connection to MySQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labkit.stack.model import Account


@contextmanager
def connected(account: Account, timeout: float = 10.0, **options: Any) -> Iterator[Any]:
    """A cursor in autocommit; `unix_socket` as option wins over the account's address. Raises OSError when nobody answers or the server
    refuses."""
    import pymysql

    try:
        connection = pymysql.connect(
            host=account.host,
            port=account.port,
            user=account.user,
            password=account.password,
            connect_timeout=timeout,
            read_timeout=timeout,
            autocommit=True,
            **options,
        )
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()
    except pymysql.MySQLError as error:
        raise OSError(error.args[1] if len(error.args) > 1 else str(error)) from error


def first_binlog_position(account: Account) -> dict[str, object]:
    with connected(account) as cursor:
        cursor.execute("SHOW BINARY LOGS")
        return {"file": cursor.fetchone()[0], "position": 4}  # after the file's magic number


def binlog_position(cursor: Any) -> dict[str, object]:
    import pymysql

    try:
        cursor.execute("SHOW MASTER STATUS")
    except pymysql.MySQLError:  # its name from MySQL 8.4 on
        cursor.execute("SHOW BINARY LOG STATUS")
    file, position = cursor.fetchone()[:2]
    return {"file": file, "position": position}
