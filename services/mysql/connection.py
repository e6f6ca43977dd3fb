"""Connections to MySQL or MariaDB, and the meaning of their errors."""

from typing import Any

import aiomysql
import msgspec
import pymysql
from pymysql.constants import CLIENT

from services.mysql.login import use_own_encryption

# Errors unrelated to our statements: the server is unavailable, starting or stopping, or a lock timed out.
LOCK_CODES = frozenset({1020, 1205, 1213, 1614})  # record changed since last read, lock wait time-out, deadlock (two kinds)
TRANSIENT_CODES = frozenset(
    {
        *LOCK_CODES,
        *(2002, 2003, 2006, 2013, 2014, 2055),  # cannot connect, gone away, lost during a query, out of sync
        *(1040, 1053, 1077, 1079, 1152, 1159, 1161, 1184, 1203, 1317, 1927, 3169, 4031),  # too many, shutdown, killed, idle
        *(1290, 1836),  # read-only for now
    }
)

use_own_encryption()


class TransientError(Exception):
    """The database or a lock is unavailable at the moment. Nothing was committed unless `outcome_unknown`."""

    def __init__(self, cause: BaseException, *, outcome_unknown: bool = False) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.outcome_unknown = outcome_unknown


def is_transient(error: BaseException) -> bool:
    if isinstance(error, pymysql.err.MySQLError):
        code = error.args[0] if error.args else 0
        # The driver raises InterfaceError on a connection that it has closed.
        return code in TRANSIENT_CODES or isinstance(error, pymysql.err.InterfaceError)
    return isinstance(error, TransientError | OSError | EOFError | TimeoutError)


class MysqlSettings(msgspec.Struct, frozen=True):
    host: str
    port: int
    user: str
    password: str
    database: str


async def connect(settings: MysqlSettings, *, timeout: float = 2.0) -> Any:
    """Open a connection: autocommit, READ COMMITTED, several statements in one round trip. Raises the driver's errors."""
    return await aiomysql.connect(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password,
        db=settings.database,
        autocommit=True,
        connect_timeout=timeout,
        charset="utf8mb4",
        client_flag=CLIENT.MULTI_STATEMENTS,
        # READ COMMITTED: a read after locking a row must be as recent as the lock.
        init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION innodb_lock_wait_timeout = 5",
    )
