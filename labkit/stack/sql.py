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
            """Skip loading the machine's certificates. pymysql loads them for each connection (30 ms) and then verifies none."""
            return context

    return Quick


@contextmanager
def connected(account: Account, timeout: float = 10.0, **options: Any) -> Iterator[Any]:
    """Yield a cursor in autocommit mode. The option `unix_socket` takes precedence over the account's address.

    Raises OSError when the server does not answer or refuses the login.
    """
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
        return {"file": cursor.fetchone()[0], "position": 4}  # skips the file's magic number


def binlog_position(cursor: Any) -> dict[str, object]:
    import pymysql

    try:
        cursor.execute("SHOW MASTER STATUS")
    except pymysql.MySQLError:  # the statement's name since MySQL 8.4
        cursor.execute("SHOW BINARY LOG STATUS")
    file, position = cursor.fetchone()[:2]
    return {"file": file, "position": position}
