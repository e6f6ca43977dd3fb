"""Brokers for one test, without a stack, started as labkit starts them."""

import secrets
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.account import LOOPBACK, Account
from labkit.brokers.kafka import library
from labkit.brokers.kafka.broker import Kafka
from labkit.brokers.model import Broker
from labkit.servers import kafka
from tests.running import wait_until


@dataclass(frozen=True)
class Subject:
    """A running broker. `member` starts a consumer in a group. The consumer reads and commits the given number of records of a channel, and
    stays in the group until the end of the block."""

    broker: Broker
    member: Callable[[str, str, int], AbstractContextManager[None]]
    nobody: Broker  # the same product at an address where nothing listens


@contextmanager
def a_kafka() -> Iterator[Subject]:
    server = kafka.find()
    assert server is not None, "this machine has no Kafka: make native"
    port, controller_port, closed = _free_ports(3)
    login = kafka.Login("labkit", secrets.token_hex())
    with tempfile.TemporaryDirectory(prefix="lk") as folder:
        data = Path(folder, "data")
        kafka.prepare_data(server, data)
        argv = kafka.command(server, data=data, port=port, controller_port=controller_port, login=login, archive=kafka.archive(server))
        account = Account(LOOPBACK, port, login.user, login.password)
        broker = Kafka(account)
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: _answers(broker, process, log), "Kafka answers")
            yield Subject(broker, _kafka_member(account), Kafka(Account(LOOPBACK, closed, login.user, login.password)))
        finally:
            process.kill()
            process.wait()


def _kafka_member(account: Account) -> Callable[[str, str, int], AbstractContextManager[None]]:
    @contextmanager
    def member(group: str, channel: str, count: int) -> Iterator[None]:
        from confluent_kafka import Consumer

        settings: dict[str, Any] = {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
        consumer = Consumer({**library.settings(account), **settings})
        try:
            consumer.subscribe([channel])
            for _ in range(count):
                message = consumer.poll(30.0)
                assert message is not None, f"{group} got no record"
                assert message.error() is None, message.error()
                consumer.commit(message=message, asynchronous=False)
            yield
        finally:
            consumer.close()

    return member


def _answers(broker: Broker, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text(errors="replace")[-3000:]
    try:
        with broker.connect(1.0) as connection:
            connection.channels()
    except (OSError, ValueError):
        return False
    return True


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind((LOOPBACK, 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
