"""The MariaDB or MySQL product."""

import shutil
from pathlib import Path

from labkit.account import Account
from labkit.preparation_report import Preparing
from labkit.servers import mysql
from labkit.stack import sql
from labkit.stack.accounts import MYSQL_ROOT, mysql_users
from labkit.stack.model import Stack
from labkit.stack.products import Started
from labkit.stack.runtime import NATIVE


class Mysql:
    grace_s = 20.0
    memory_mb = 280
    has_second_port = False
    container_shell = ("sh",)
    needed = "MariaDB or MySQL"

    def find(self) -> mysql.MysqlServer | None:
        return mysql.find()

    def version(self, found: mysql.MysqlServer) -> str:
        return f"{found.kind} {found.version}"

    def prepare(self, found: mysql.MysqlServer, data: Path, scratch: Path, view: Preparing) -> None:
        if data.is_dir():
            return
        if not mysql.has_template(found):
            view.preparing("the database's data directory")
        mysql.prepare_data(found, data, scratch)

    def started(self, found: mysql.MysqlServer, stack: Stack, name: str, data: Path) -> Started:
        argv = mysql.command(found, data=data, port=stack[name].endpoint.port, socket=mysql.socket_of(stack.directory))
        return Started(argv, mysql.ENVIRONMENT)

    def same_start(self, argv: list[str]) -> list[str]:
        return argv

    def repaired(self, log: list[str]) -> str | None:
        return None

    def account(self, stack: Stack, name: str) -> Account:
        return stack.mysql

    def not_ready(self, account: Account, timeout_s: float) -> str | None:
        try:
            with sql.connected(account, timeout_s) as cursor:
                cursor.execute("SELECT 1")
        except OSError as error:
            return f"it does not answer at {account}: {error}"
        return None

    def container_settings(self, stack: Stack, name: str) -> dict[str, str]:
        known = stack.accounts
        return {
            "LABKIT_PASSWORD": known.drawn[MYSQL_ROOT],  # compose evaluates the default even of a variable that is set
            "LABKIT_ROOT_PASSWORD": known.drawn[MYSQL_ROOT],
            **{f"LABKIT_{user.upper()}_PASSWORD": known.mysql(user) for user in mysql_users(stack.profile)},
        }

    def client(self, stack: Stack, name: str) -> tuple[list[str], dict[str, str]] | None:
        at, found = stack.mysql, shutil.which("mysql") or shutil.which("mariadb")
        if found is None:
            return None
        command = [found, "--protocol=tcp", f"--host={at.host}", f"--port={at.port}", f"--user={at.user}"]
        return command, {"MYSQL_PWD": at.password}

    def shell_environment(self, stack: Stack, name: str) -> dict[str, str]:
        at = stack.mysql
        place = {"MYSQL_HOST": at.host, "MYSQL_TCP_PORT": str(at.port)} if stack.runtime == NATIVE else {}
        return {"MYSQL_PWD": at.password, **place}

    def hint(self, stack: Stack, name: str) -> str:
        return f"Log in as the administrator with: mysql --user={stack.mysql.user}"
