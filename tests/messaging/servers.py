"""The servers for messaging, one of each for all tests of a run: real servers without a stack."""

import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from labkit.servers import kafka, mysql, redis
from services.messaging.brokers.kafka import KafkaSettings
from services.mysql.connection import MysqlSettings
from tests.running import ROOT, free_ports, wait_until

HOST = "127.0.0.1"
USER, PASSWORD = "tester", "a-password"


class Server:
    """A process that can be killed and restarted with its data and its port."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self._log = folder / "log"
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(self._answers, f"{type(self).__name__} answers")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-3000:]
        return self.is_ready()

    def is_ready(self) -> bool:
        raise NotImplementedError

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class KafkaBroker(Server):
    def __init__(self, folder: Path) -> None:
        found = kafka.find()
        assert found is not None
        self._port, controller = free_ports(2)
        data = folder / "data"
        kafka.prepare_data(found, data)
        login = kafka.Login(USER, PASSWORD)
        archive = kafka.archive(found)
        super().__init__(folder, kafka.command(found, data=data, port=self._port, controller_port=controller, login=login, archive=archive))
        self.settings = KafkaSettings(f"{HOST}:{self._port}", USER, PASSWORD)

    def is_ready(self) -> bool:
        try:
            AdminClient({**self.settings.client(), "log_level": 0}).list_topics(timeout=1)
        except KafkaException:
            return False
        return True


@dataclass(frozen=True)
class Schema:
    """A separate schema with the messaging tables, and an account with all rights in it."""

    settings: MysqlSettings

    @property
    def name(self) -> str:
        assert self.settings.database is not None
        return self.settings.database

    def connect(self) -> Any:
        s = self.settings
        return pymysql.connect(host=s.host, port=s.port, user=s.user, password=s.password, database=s.database, autocommit=True)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def through(self, port: int) -> MysqlSettings:
        """Settings for a client that connects through a proxy on another port."""
        s = self.settings
        return MysqlSettings(s.host, port, s.user, s.password, s.database)


class MysqlDatabase(Server):
    def __init__(self, folder: Path) -> None:
        found = mysql.find()
        assert found is not None
        (self.port,) = free_ports(1)
        self._socket = folder / "s"
        mysql.prepare_data(found, folder / "data", folder / "scratch")
        super().__init__(folder, mysql.command(found, data=folder / "data", port=self.port, socket=self._socket))

    def _root(self) -> Any:
        return pymysql.connect(unix_socket=str(self._socket), user="root", autocommit=True)

    def is_ready(self) -> bool:
        try:
            self._root().close()
        except pymysql.MySQLError:
            return False
        return True

    def new_schema(self) -> Schema:
        name = f"schema_{uuid.uuid4().hex[:8]}"
        connection = self._root()
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'")
            cursor.execute(f"GRANT ALL ON *.* TO '{USER}'@'%'")
            cursor.execute(f"CREATE DATABASE {name}")
            cursor.execute(f"USE {name}")
            for statement in (ROOT / "services/messaging/schema.sql").read_text().split(";\n"):
                if statement.strip():
                    cursor.execute(statement)
        connection.close()
        return Schema(MysqlSettings(HOST, self.port, USER, PASSWORD, name))


class RedisStore(Server):
    def __init__(self, folder: Path) -> None:
        found = redis.find()
        assert found is not None
        (self.port,) = free_ports(1)
        (folder / "data").mkdir()
        super().__init__(folder, redis.command(found, data=folder / "data", port=self.port, password=""))

    def is_ready(self) -> bool:
        import redis as client

        try:
            return bool(client.Redis(port=self.port).ping())
        except client.RedisError:
            return False
