"""labkit's own connection to MySQL."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labkit.account import Account


def connect(**options: Any) -> Any:
    """As pymysql.connect."""
    return _quick()(**options)


@functools.cache
def _quick() -> Any:
    import ssl

    from pymysql.connections import Connection

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    class Quick(Connection):
        def _create_ssl_ctx(self, _: object) -> ssl.SSLContext:
            """Its own reads this machine's certificates for each connection, 30 ms of work, and then verifies none."""
            return context

    return Quick


@contextmanager
def connected(account: Account, timeout: float = 10.0, **options: Any) -> Iterator[Any]:
    """A cursor in autocommit; `unix_socket` as option wins over the account's address. Raises OSError when nobody answers or the server
    refuses."""
    import pymysql

    try:
        connection = connect(
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
