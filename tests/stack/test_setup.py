"""The programs that `labkit setup` installs start real servers."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest

from labkit.account import LOOPBACK, Account
from labkit.errors import UserError
from labkit.servers import class_data_archive, kafka, mysql, redis
from tests.running import free_port, free_ports, unix_socket_accepts

TIMEOUT_S = 60
LOGIN = kafka.Login("labkit", "drawn-for-this-test")
ALL_SERVERS_SETTINGS = {
    "log_bin": "ON",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_metadata": "FULL",
    "sync_binlog": "1",
    "innodb_flush_log_at_trx_commit": "1",
    "bind_address": "127.0.0.1",
    "time_zone": "+00:00",
    "local_infile": "OFF",
}


def setup() -> str:
    command = [sys.executable, "-m", "labkit", "setup", "--runtime", "native"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def _servers() -> None:
    setup()


@pytest.fixture
def database() -> mysql.MysqlServer:
    server = mysql.find()
    assert server
    return server


@pytest.fixture
def broker() -> kafka.KafkaServer:
    server = kafka.find()
    assert server
    return server


@pytest.fixture
def view() -> redis.RedisServer:
    server = redis.find()
    assert server
    return server


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A short folder: a socket's path is limited to about 100 bytes, and pytest's folders are longer."""
    with tempfile.TemporaryDirectory(prefix="labkit-", dir="/tmp") as path:
        yield Path(path)


def test_setup_says_what_was_found_where(database: mysql.MysqlServer, broker: kafka.KafkaServer, view: redis.RedisServer) -> None:
    said = setup()
    for fact in (
        database.version,
        database.binary,
        broker.version,
        broker.libs,
        broker.java_version,
        broker.java,
        view.version,
        view.binary,
    ):
        assert str(fact) in said
    for work in ("installing", "fetching", "making"):  # everything exists since the first run
        assert work not in said


def test_a_copied_data_directory_starts_a_server(database: mysql.MysqlServer, tmp_path: Path, short_directory: Path) -> None:
    data, at, port = tmp_path / "a b" / "data", short_directory / "s", free_port()
    mysql.prepare_data(database, data, tmp_path / "scratch")
    with running(mysql.command(database, data=data, port=port, socket=at), tmp_path, lambda: root_may_log_in(at)):
        with as_root(at) as cursor:
            cursor.execute("SELECT user, host FROM mysql.user WHERE user NOT LIKE 'mysql.%' AND user <> 'mariadb.sys'")
            assert list(cursor.fetchall()) == [("root", "localhost")]
            cursor.execute("SHOW GLOBAL VARIABLES")
            assert ALL_SERVERS_SETTINGS.items() <= dict(cursor.fetchall()).items()
        with pytest.raises(pymysql.MySQLError):  # root may connect over the socket only
            pymysql.connect(host="127.0.0.1", port=port, user="root")


def test_kafka_loads_its_classes_from_the_archive(broker: kafka.KafkaServer, tmp_path: Path) -> None:
    assert classes_from_archive(broker, kafka.archive(broker), tmp_path) > 3000


def test_a_broken_archive_does_not_stop_kafka(broker: kafka.KafkaServer, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsa"
    broken.write_bytes(b"no archive at all" * 1000)
    use_kafka(broker, broken, tmp_path)


@pytest.mark.soak
def test_an_archive_made_with_other_flags_does_not_stop_kafka(
    broker: kafka.KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = kafka.archive(broker)
    monkeypatch.setattr(kafka, "FLAGS", tuple(flag.replace("SerialGC", "ParallelGC") for flag in kafka.FLAGS))
    assert kafka.archive(broker) is None
    use_kafka(broker, made, tmp_path)


def test_kafka_keeps_its_log_over_kill_9(broker: kafka.KafkaServer, tmp_path: Path) -> None:
    data, (port, controller_port) = tmp_path / "kafka", free_ports(2)
    for offset in range(2):
        kafka.prepare_data(broker, data)
        argv = kafka.command(broker, data=data, port=port, controller_port=controller_port, login=LOGIN, archive=kafka.archive(broker))
        with running(argv, tmp_path, lambda: accepts(port)) as process:
            assert send_one(port) == offset
            process.kill()
            process.wait()


def test_redis_keeps_what_it_was_told(view: redis.RedisServer, tmp_path: Path) -> None:
    data, port = tmp_path / "a b", free_port()
    data.mkdir()
    argv = redis.command(view, data=data, port=port, password="")

    def loaded() -> bool:
        return accepts(port) and ask_redis(port, "PING") == "+PONG"

    with running(argv, tmp_path, loaded) as process:
        assert ask_redis(port, "SET k v") == "+OK"
        process.terminate()
        process.wait()
    with running(argv, tmp_path, loaded):
        assert ask_redis(port, "EXISTS k") == ":1"


def test_names_that_lead_nowhere_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LABKIT_MYSQLD", str(tmp_path))
    with pytest.raises(UserError, match="LABKIT_MYSQLD"):
        mysql.find()
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(UserError, match="KAFKA_HOME"):
        kafka.find()


def classes_from_archive(server: kafka.KafkaServer, made: Path | None, tmp_path: Path) -> int:
    """The number of classes that the JVM took from the archive before the broker stored a record."""
    classes = tmp_path / "classes"
    use_kafka(server, made, tmp_path, f"-Xlog:class+load:file={classes}")
    return classes.read_text().count("shared objects file (top)")


def use_kafka(server: kafka.KafkaServer, made: Path | None, tmp_path: Path, *options: str) -> None:
    data, (port, controller_port) = tmp_path / "kafka", free_ports(2)
    kafka.prepare_data(server, data)
    java, *rest = kafka.command(server, data=data, port=port, controller_port=controller_port, login=LOGIN, archive=made)
    with running([java, *options, *rest], tmp_path, lambda: accepts(port)):
        assert send_one(port) == 0


def send_one(port: int) -> int:
    return class_data_archive.send_one(Account(LOOPBACK, port, LOGIN.user, LOGIN.password), "t")


@contextlib.contextmanager
def running(argv: list[str], cwd: Path, ready: Callable[[], bool]) -> Iterator["subprocess.Popen[bytes]"]:
    with (cwd / "log").open("ab") as log:
        process = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while not ready():
            assert process.poll() is None, (cwd / "log").read_text()
            assert time.monotonic() < deadline, (cwd / "log").read_text()
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def root_may_log_in(at: Path) -> bool:
    with contextlib.suppress(pymysql.OperationalError):
        if unix_socket_accepts(at):
            with as_root(at):
                return True
    return False


@contextlib.contextmanager
def as_root(at: Path) -> Iterator[pymysql.cursors.Cursor]:
    with pymysql.connect(unix_socket=str(at), user="root") as connection, connection.cursor() as cursor:
        yield cursor


def ask_redis(port: int, command: str) -> str:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.makefile().readline().strip()
