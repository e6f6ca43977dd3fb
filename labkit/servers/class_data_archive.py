"""Create Kafka's class-data archive. A broker runs once, with a typical stack's requests; later brokers then start in half the time."""

import contextlib
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import paths
from labkit.account import LOOPBACK, Account
from labkit.brokers.kafka import library
from labkit.servers import kafka
from labkit.servers.cache import move_into_place, scratch_dir

if TYPE_CHECKING:
    from confluent_kafka import Message

READY_S = 60.0
ANSWER_S = 15.0
END_S = 60.0


def make(server: kafka.KafkaServer, *, again: bool = False) -> Path | None:
    """Create the class-data archive by running a broker once (about 5 s). Returns None on failure; Kafka then starts slower, without it.

    A failed attempt is not repeated unless `again`.
    """
    failed = kafka.archive_place(server).with_suffix(".failed")
    if failed.exists() and not again:
        return None
    made = _record(server)
    if made is None:
        paths.write(failed, "")
    else:
        failed.unlink(missing_ok=True)
    return made


def _record(server: kafka.KafkaServer) -> Path | None:
    """Return the archive's path in the cache, or None when the broker did not start, did not answer, or wrote no archive."""
    place = kafka.archive_place(server)
    with scratch_dir("kafka") as scratch:
        data, into = Path(scratch, "data"), Path(scratch, place.name)
        port, controller_port = _free_ports()
        kafka.prepare_data(server, data)
        login = kafka.Login("labkit", secrets.token_hex())
        argv = kafka.recording_command(server, data=data, port=port, controller_port=controller_port, login=login, into=into)
        with Path(scratch, "log").open("wb") as log, _running(argv, log.fileno()) as broker:
            if not _answers(broker, port):
                return None
            with contextlib.suppress(Exception):  # an archive with fewer classes is still useful
                _use(Account(LOOPBACK, port, login.user, login.password))
            broker.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                broker.wait(END_S)
        if not into.is_file():
            return None
        move_into_place(into, place)
    return place


@contextlib.contextmanager
def _running(argv: list[str], log: int) -> Iterator["subprocess.Popen[bytes]"]:
    broker = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield broker
    finally:
        if broker.poll() is None:
            broker.kill()
        broker.wait()


def _answers(broker: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and broker.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.05)
    return False


def _use(account: Account) -> None:
    """Make the requests that a stack makes, so that the archive includes the classes for them. Raises KafkaException."""
    from confluent_kafka import Consumer, TopicPartition
    from confluent_kafka.admin import AdminClient

    send_one(account, "t")
    group: dict[str, str | int | float | bool] = {"group.id": "g", "group.instance.id": "i", "auto.offset.reset": "earliest"}
    consumer = Consumer({**_client(account), **group, "enable.auto.commit": False})
    try:
        consumer.subscribe(["t"])
        if consumer.poll(ANSWER_S) is not None:
            consumer.commit(asynchronous=False)
    finally:
        consumer.close()
    admin = AdminClient(_client(account))
    for done in (admin.delete_records([TopicPartition("t", 0, 1)]), admin.delete_topics(["t"])):
        for result in done.values():
            result.result(ANSWER_S)


def _client(account: Account) -> dict[str, Any]:
    """Return client settings without logging, because the broker ends before the client and would cause log messages."""
    return {**library.settings(account), "log_level": 0}


def send_one(account: Account, topic: str) -> int:
    """Store one record in partition 0 of a topic, which the broker creates automatically. Returns its offset. Raises OSError."""
    from confluent_kafka import Producer

    offsets: list[int] = []

    def stored(error: object, message: "Message") -> None:
        if error is None:
            offsets.append(message.offset() or 0)

    producer = Producer({**_client(account), "enable.idempotence": True})
    producer.produce(topic, b"v", key=b"k", partition=0, on_delivery=stored)
    producer.flush(ANSWER_S)
    if not offsets:
        raise OSError("the broker took no record")
    return offsets[0]


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
