"""A second user of the host can neither read nor change any part of a stack: no file, socket, store or port."""

import os
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pymysql
import pytest
from pymysql.constants import CLIENT

from labkit import docker_engine, paths
from labkit.account import LOOPBACK, Account
from labkit.brokers.kafka.connection import KafkaConnection
from labkit.stack import accounts, compose, provision, sql
from labkit.stack.runtime import DOCKER
from tests.attempts import into_kafka, into_mysql, into_redis
from tests.conftest import RunningStack
from tests.e2e.shop import eventually, new_customer, new_order, settled, state_in_view
from tests.running import PROFILE, Labkit
from tests.stranger import Stranger, a_stranger

# The files of a stack's directory that may contain a password. Only the stack's user may read them.
HOLD_PASSWORDS = {"accounts.json", "plan.json", "compose.env", "client.properties", "data/redis/redis.conf", "data/kafka/server.properties"}


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    with a_stranger() as found:
        yield found


@pytest.fixture
def within_reach(stack: RunningStack) -> Iterator[RunningStack]:
    """The stack, in a home that everybody may enter: its safety does not depend on where the home is."""
    home = stack.labkit.home
    before = stat.S_IMODE(home.stat().st_mode)
    home.chmod(0o755)
    yield stack
    home.chmod(before)


def opened(files: list[str]) -> list[str]:
    """The files that can be read, changed or entered."""
    return [file for file in files if any(os.access(file, way) for way in (os.R_OK, os.W_OK)) or _connects(file)]


def _connects(path: str) -> bool:
    if not Path(path).name.endswith(".sock"):
        return False
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError:
            return False
    return True


def everything_of(stack: RunningStack) -> list[str]:
    roots = [stack.labkit.directory, paths.socket_directory(stack.labkit.directory)]
    return [str(path) for root in roots for path in (root, *root.rglob("*"))]


@pytest.mark.both_runtimes
def test_no_file_and_no_socket(within_reach: RunningStack, stranger: Stranger) -> None:
    stack = within_reach
    stack.labkit("reset", "--yes")
    stack.labkit("lab", "1", "check")  # which leaves its evidence behind
    (stack.labkit.home / "reports").mkdir(exist_ok=True)
    everything = everything_of(stack)
    assert len(everything) > 20
    if stranger.uid is not None:
        assert stranger.does(opened, everything) == []
    for path in (stack.labkit.directory, paths.socket_directory(stack.labkit.directory)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for name in HOLD_PASSWORDS & {os.path.relpath(path, stack.labkit.directory) for path in everything}:
        assert stat.S_IMODE((stack.labkit.directory / name).stat().st_mode) == 0o600, name


def test_passwords_are_nowhere_but_where_they_must_be(stack: RunningStack, tmp_path: Path) -> None:
    stack.labkit("verify", ok=False)
    stack.labkit("support", str(tmp_path / "support.zip"))
    directory, own = stack.labkit.directory, [secret.encode() for secret in accounts.secrets_of(stack.labkit.directory)]
    assert len(set(own)) == len(own) == len(accounts.names(PROFILE))
    assert all(re.fullmatch(rb"[0-9a-f]{48}", secret) for secret in own)
    found = set()
    for path in directory.rglob("*"):
        if path.is_file() and any(secret in path.read_bytes() for secret in own):
            found.add(str(path.relative_to(directory)))
    assert found <= HOLD_PASSWORDS
    import zipfile

    with zipfile.ZipFile(tmp_path / "support.zip") as archive:
        told = [name for name in archive.namelist() if any(secret in archive.read(name) for secret in own)]
    assert told == []


def command_lines(pids: list[int]) -> dict[str, str]:
    return {str(pid): _read(f"/proc/{pid}/cmdline") for pid in pids}


def environments(pids: list[int]) -> list[int]:
    """The processes that show their environment."""
    return [pid for pid in pids if _read(f"/proc/{pid}/environ")]


def _read(path: str) -> str:
    try:
        return Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.both_runtimes
def test_no_process_shows_a_password(stack: RunningStack, stranger: Stranger) -> None:
    pids = pids_of(stack)
    lines = stranger.does(command_lines, pids)
    assert len([line for line in lines.values() if line]) >= 8
    own = accounts.secrets_of(stack.labkit.directory)
    assert [line for line in lines.values() if any(secret in line for secret in own)] == []
    if stranger.uid is not None:
        assert stranger.does(environments, pids) == []


def pids_of(stack: RunningStack) -> list[int]:
    """On this machine, including processes in containers."""
    if stack.described.runtime != DOCKER:
        return list(stack.labkit.processes())
    import docker

    client = docker.DockerClient(base_url=docker_engine.find().host)
    label = f"com.docker.compose.project={compose.project_of(stack.labkit.directory)}"
    return [int(row[0]) for container in client.containers.list(filters={"label": label})
            for row in container.top(ps_args="-eo pid,args")["Processes"]]  # fmt: skip


def addresses_of(stack: RunningStack) -> dict[str, set[tuple[str, int]]]:
    """Every TCP address on which each component's processes listen. Does not use labkit's own records. For a container, its own network is
    included."""
    if stack.described.runtime == DOCKER:
        import docker

        client = docker.DockerClient(base_url=docker_engine.find().host)
        found: dict[str, set[tuple[str, int]]] = {}
        for container in client.containers.list(
            filters={"label": f"com.docker.compose.project={compose.project_of(stack.labkit.directory)}"}
        ):
            settings, name = container.attrs["NetworkSettings"], container.labels["com.docker.compose.service"]
            (network,) = settings["Networks"].values()
            inside = {(network["IPAddress"], port) for port in _listening_inside(container.attrs["State"]["Pid"])}
            published = {(at["HostIp"], int(at["HostPort"])) for ports in settings["Ports"].values() for at in ports or []}
            found[name] = inside | published
        return found
    listening: dict[str, set[tuple[str, int]]] = {}
    for name, pid in stack.pids().items():
        for connection in psutil.Process(pid).net_connections("tcp") if pid else []:
            if connection.status == psutil.CONN_LISTEN:
                listening.setdefault(name, set()).add((LOOPBACK, connection.laddr.port))
    return listening


def _listening_inside(pid: int) -> set[int]:
    """Ports reachable from the network of this process."""
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in _read(f"/proc/{pid}/net/{table}").splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, port = local.partition(":")
            if state == "0A" and address not in ("0100007F", "0B00007F"):  # the process itself, and the engine's name server
                ports.add(int(port, 16))
    return ports


@pytest.mark.both_runtimes
def test_each_port_of_each_store_asks_for_the_password(stack: RunningStack, stranger: Stranger) -> None:
    listening = addresses_of(stack)
    assert {server.name for server in PROFILE.servers} <= set(listening)
    if stack.described.runtime != DOCKER:
        assert {port for places in listening.values() for _, port in places} == set(stack.described.ports)
    attempts = {"mysql": into_mysql, "kafka": into_kafka, "redis": into_redis}
    for store in (server.name for server in PROFILE.servers):
        for host, port in sorted(listening[store]):
            assert stranger.does(attempts[store], host, port) == [], f"{store} at {host}:{port}"
    assert stack.labkit.status()["ready"], "nothing that they tried did harm"


@pytest.mark.both_runtimes
def test_the_database_opens_no_file(stack: RunningStack, tmp_path: Path) -> None:
    """Neither for the services' accounts nor for the administrator."""
    (tmp_path / "secret").write_text("of the host\n")
    tmp_path.chmod(0o755)
    (outfile := tmp_path / "written").unlink(missing_ok=True)
    described = stack.described
    for user in accounts.mysql_users(PROFILE):
        account = described.mysql_as(user)
        with sql.connected(account, client_flag=CLIENT.LOCAL_FILES, local_infile=True) as cursor:
            cursor.execute("SHOW GRANTS")
            assert not [grant for (grant,) in cursor.fetchall() if "FILE" in grant or ("SUPER ON *.*" in grant and user != accounts.ADMIN)]
            for name in ("/etc/passwd", str(tmp_path / "secret")):
                assert value_or_refusal(cursor, f"SELECT LOAD_FILE('{name}')") in (None, "refused")
            assert value_or_refusal(cursor, f"SELECT 1 INTO OUTFILE '{outfile}'") == "refused"
            assert value_or_refusal(cursor, f"SELECT 1 INTO DUMPFILE '{outfile}'") == "refused"
            for local in ("", "LOCAL"):
                load = f"LOAD DATA {local} INFILE '{tmp_path}/secret' INTO TABLE customer_db.message"
                assert value_or_refusal(cursor, load) == "refused"
    assert not outfile.exists()
    settings = {row["Variable_name"]: row["Value"] for row in stack.sql("show global variables where variable_name in "
                                                                        "('secure_file_priv', 'local_infile')")}  # fmt: skip
    assert settings["local_infile"] == "OFF"
    assert settings["secure_file_priv"].rstrip("/").endswith("mysql-files")
    assert stack.sql("select user, host from mysql.user where user = '' or (user = 'root' and host <> 'localhost')") == []


def value_or_refusal(cursor: Any, statement: str) -> object:
    try:
        cursor.execute(statement)
        row = cursor.fetchone()
    except (pymysql.MySQLError, OSError):
        return "refused"
    return row[0] if row else "done"


def test_a_stack_is_open_only_as_long_as_up_says_so(labkit: Labkit) -> None:
    said = labkit("up", "--open").stdout
    assert accounts.describe_open(PROFILE) in said
    assert accounts.describe_open(PROFILE) in labkit("status").stdout
    status = labkit.status()
    assert status["open"]
    assert (status["accounts"]["redis"], status["accounts"]["kafka"]) == ({"default": None}, {"labkit": None})
    stack = RunningStack(labkit, status)
    described = stack.described
    kafka, redis = described["kafka"].endpoint, described["redis"].endpoint
    controller = described.controller_port
    with KafkaConnection(Account(kafka.host, kafka.port, "", ""), timeout=10) as broker:
        assert broker.topics()
    assert any(entered.startswith("PING") for entered in into_redis(redis.host, redis.port, "PING"))
    own = {"customer_service/customer_service", "order_service/order_service", "relay/relay"}
    assert set(into_mysql(described.mysql.host, described.mysql.port)) == own
    assert into_kafka(LOOPBACK, controller) == []
    assert labkit("lab", "1", "check").returncode == 0

    labkit("restart", "orders")
    assert labkit.status()["open"], "only `up` closes it"
    assert "closed again" in labkit("up").stdout
    described = stack.described
    assert into_kafka(kafka.host, described["kafka"].endpoint.port) == []
    assert into_mysql(described.mysql.host, described.mysql.port) == []
    assert into_redis(redis.host, described["redis"].endpoint.port) == []
    works(labkit)

    # the stack of an earlier labkit: every account has its name as password, and there is no file of accounts
    described = stack.described
    socket_at = paths.socket_directory(labkit.directory) / "mysql.sock"
    with provision.connected(socket_at, 10) as cursor:
        for user in accounts.mysql_users(PROFILE):
            cursor.execute(f"ALTER USER '{user}'@'%' IDENTIFIED BY '{user}'")
        cursor.execute("GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION")
    (labkit.directory / accounts.FILE).unlink()
    labkit("up")
    described = stack.described
    assert into_mysql(described.mysql.host, described.mysql.port) == []
    assert not [row for row in stack_grants(described.mysql) if "FILE" in row or "ALL PRIVILEGES ON *.*" in row]
    works(labkit)


def works(labkit: Labkit) -> None:
    """Its services know the current passwords: an order passes through all stores and reaches the view."""
    stack = RunningStack(labkit)
    gateway = stack.url("gateway")
    order = new_order(gateway, customer := new_customer(gateway, "15.00"), "12.34")
    assert settled(gateway, order) == ("APPROVED", None)
    eventually(lambda: state_in_view(stack.redis, customer, order), "APPROVED")


def stack_grants(account: Account) -> list[str]:
    with sql.connected(account) as cursor:
        cursor.execute("SHOW GRANTS")
        return [str(grant) for (grant,) in cursor.fetchall()]
