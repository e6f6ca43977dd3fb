"""Kafka's class-data archive: one broker, run once and used the way the services use it, so that later ones start in half the time."""

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from labkit.stack.servers import kafka
from labkit.stack.servers.cache import move_into_place, scratch_dir

READY_S = 60.0
END_S = 60.0


def record(server: kafka.KafkaServer) -> Path | None:
    """The archive's place in the cache; None when the broker did not start, did not answer or wrote none."""
    place = kafka.archive_place(server)
    with scratch_dir("kafka") as scratch:
        data, into = Path(scratch, "data"), Path(scratch, place.name)
        port, controller_port = _free_ports()
        kafka.prepare_data(server, data)
        argv = kafka.recording_command(server, data=data, port=port, controller_port=controller_port, into=into)
        with Path(scratch, "log").open("wb") as log, _running(argv, log.fileno()) as broker:
            if not _answers(broker, port):
                return None
            with contextlib.suppress(Exception):  # an archive with fewer classes is still one
                asyncio.run(asyncio.wait_for(_use(f"127.0.0.1:{port}"), 20))
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


async def _use(bootstrap: str) -> None:
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says while the broker is still waking up is no news
    await send_one(bootstrap, "t")
    group = {"group_id": "g", "group_instance_id": "i", "auto_offset_reset": "earliest", "enable_auto_commit": False}
    async with AIOKafkaConsumer("t", bootstrap_servers=bootstrap, **group) as consumer:
        await consumer.getone()
        await consumer.commit()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.list_consumer_group_offsets("g")
        await admin.delete_records({TopicPartition("t", 0): RecordsToDelete(before_offset=1)})
        await admin.delete_topics(["t"])
    finally:
        await admin.close()


async def send_one(bootstrap: str, topic: str) -> int:
    """Store one record in partition 0 of a topic, which the broker makes by itself; the record's offset."""
    from aiokafka import AIOKafkaProducer

    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        stored = await producer.send_and_wait(topic, b"v", key=b"k", partition=0)
        return int(stored.offset)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
