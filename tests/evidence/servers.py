"""A database server for one test, without a stack, started as labkit starts one. It can be killed and restarted at any time."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

from labkit.account import LOOPBACK, Account
from labkit.evidence.binlog.replication import Position
from labkit.servers import mysql
from labkit.stack import provision, sql
from labkit.stack.accounts import ADMIN, OBSERVER, mysql_users, settle
from tests.running import PROFILE, ROOT, unix_socket_accepts, wait_until

OTHER_SERVER = "LABKIT_TEST_MYSQLD"  # names a second server for these tests, such as a MySQL in addition to the MariaDB that is found


def found_servers() -> list[mysql.MysqlServer]:
    """The server that labkit would use, and the one that the environment names."""
    found = mysql.find()
    servers = [found] if found else []
    if other := os.environ.get(OTHER_SERVER):
        examined = mysql._examine(Path(other))
        assert examined is not None, f"{OTHER_SERVER} is {other}, and that is no server"
        servers.append(examined)
    return servers


class DatabaseServer:
    def __init__(self, server: mysql.MysqlServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.socket = folder / "mysql.sock"
        with socket.socket() as free:
            free.bind((LOOPBACK, 0))
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self.accounts = settle(folder, PROFILE)

    @property
    def admin(self) -> Account:
        return self._as(ADMIN)

    @property
    def observer(self) -> Account:
        return self._as(OBSERVER)

    def _as(self, user: str) -> Account:
        return Account(LOOPBACK, self.port, user, self.accounts.mysql(user))

    def start(self, *options: str) -> None:
        argv = [*mysql.command(self.server, data=self.folder / "data", port=self.port, socket=self.socket), *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(self.answers, f"{self.server.kind} answers")

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[-3000:]
        if not unix_socket_accepts(self.socket):
            return False
        try:
            pymysql.connect(unix_socket=str(self.socket), user="root").close()
        except pymysql.MySQLError:
            return False
        return True

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def provision(self) -> None:
        provision.run(provision.statements(ROOT, PROFILE), [self.socket], self.accounts)
        for user in mysql_users(PROFILE):  # MySQL then knows the password's hash: no key exchange over TCP
            pymysql.connect(unix_socket=str(self.socket), user=user, password=self.accounts.mysql(user)).close()

    def run(self, *statements: str) -> list[Any]:
        """Run statements as administrator over one connection. Returns the rows of the last one."""
        rows: list[Any] = []
        with sql.connected(self.admin, 60) as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    def position(self) -> Position:
        with sql.connected(self.admin) as cursor:
            found = sql.binlog_position(cursor)
        return Position(str(found["file"]), int(str(found["position"])))


@contextmanager
def running(server: mysql.MysqlServer) -> Iterator[DatabaseServer]:
    with tempfile.TemporaryDirectory(prefix="lk") as folder:
        mysql.prepare_data(server, Path(folder, "data"), Path(folder, "scratch"))
        database = DatabaseServer(server, Path(folder))
        database.start()
        try:
            database.provision()
            yield database
        finally:
            if database.process is not None:
                database.kill()
