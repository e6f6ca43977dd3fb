"""A small client for Kafka's own protocol, with the few requests that labkit makes about topics. No client library loads as fast.

https://kafka.apache.org/protocol: a request is its length, api key, version, correlation id and client id, then the body; big-endian.
"""

import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self, TypeVar

from labkit.account import Account
from labkit.brokers.model import Place, Position

LIST_OFFSETS, METADATA, SASL_HANDSHAKE, DELETE_RECORDS, SASL_AUTHENTICATE = 2, 3, 17, 21, 36
EARLIEST, LATEST = -2, -1
INTERNAL = "__"  # prefix of Kafka's internal topics
# Temporary errors of a broker that has just started or was briefly fenced: no leader yet, not the leader yet, request timed out; the
# coordinator of a group is loading, not available, or elsewhere.
PASSING = {5, 6, 7, 14, 15, 16}
NO_SUCH_TOPIC = 3
ASK_AGAIN_S = 0.05

T = TypeVar("T")


class NotYet(ValueError):
    """A temporary error: a later answer will differ."""


def error_of(code: int, what: str) -> ValueError:
    return (NotYet if code in PASSING else ValueError)(f"{what}: error {code}")


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int


class Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, form: str) -> int:
        (value,) = struct.unpack_from(f">{form}", self._data, self._at)
        self._at += struct.calcsize(f">{form}")
        return int(value)

    def skip(self, count: int) -> None:
        self._at += count

    def bytes(self) -> bytes:
        length = max(self.take("i"), 0)  # -1 is null
        self._at += length
        return self._data[self._at - length : self._at]

    def text(self) -> str:
        length = max(self.take("h"), 0)  # -1 is null
        self._at += length
        return self._data[self._at - length : self._at].decode()


class WireClient:
    """One connection to Kafka.

    Raises OSError if the broker does not answer in time, ValueError if the answer is an error (after retries, for a temporary one).
    """

    def __init__(self, account: Account, *, timeout: float) -> None:
        self._timeout = timeout
        self._socket = socket.create_connection((account.host, account.port), timeout)
        self._socket.settimeout(timeout)
        if account.password:
            try:
                self._log_in(account)
            except BaseException:
                self._socket.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _log_in(self, account: Account) -> None:
        """Log in with SASL/PLAIN: the first request names the mechanism, the second holds the token of RFC 4616."""
        token = f"\0{account.user}\0{account.password}".encode()
        for api, body in ((SASL_HANDSHAKE, string("PLAIN")), (SASL_AUTHENTICATE, struct.pack(">i", len(token)) + token)):
            answer = self._ask(api, 1, body)
            if error := answer.take("h"):
                raise error_of(error, f"Kafka refuses the account {account.user}")

    def _ask(self, api: int, version: int, body: bytes) -> Reader:
        request = struct.pack(">hhih6s", api, version, 1, 6, b"labkit") + body
        self._socket.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", self._receive(4))
        reader = Reader(self._receive(length))
        reader.take("i")  # correlation id
        return reader

    def _until_ready(self, question: Callable[[], T]) -> T:
        """Repeat a request until it succeeds: a broker that has joined its cluster needs a moment before it leads its partitions."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return question()
            except NotYet:
                if time.monotonic() > deadline:
                    raise
                time.sleep(ASK_AGAIN_S)

    def _receive(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self._socket.recv(length - len(data))
            if not part:
                raise ConnectionError("Kafka closed the connection")
            data += part
        return data

    def topics(self) -> list[Topic]:
        """Return all topics except Kafka's internal ones. Raises ValueError until the broker has joined its cluster."""
        answer = self._ask(METADATA, 1, struct.pack(">i", -1))
        brokers = answer.take("i")
        for _ in range(brokers):
            answer.take("i"), answer.text(), answer.take("i"), answer.text()
        controller = answer.take("i")
        if not brokers or controller < 0:
            raise ValueError("the broker has not joined its cluster")
        topics = [self._topic(answer) for _ in range(answer.take("i"))]
        return [topic for topic in topics if not topic.name.startswith(INTERNAL)]

    @staticmethod
    def _topic(answer: Reader) -> Topic:
        answer.take("h")
        name, _internal, partitions = answer.text(), answer.take("b"), answer.take("i")
        for _ in range(partitions):
            answer.take("h"), answer.take("i"), answer.take("i")
            for _ in range(2):  # replicas, in-sync replicas
                for _ in range(answer.take("i")):
                    answer.take("i")
        return Topic(name, partitions)

    def offsets(self, topics: Iterable[Topic], timestamp: int) -> dict[Place, Position]:
        """Return the EARLIEST or LATEST offset of each partition."""
        topics = list(topics)
        return self._until_ready(lambda: self._offsets(topics, timestamp)) if topics else {}

    def _offsets(self, topics: list[Topic], timestamp: int) -> dict[Place, Position]:
        body = struct.pack(">ii", -1, len(topics))
        for topic in topics:
            body += string(topic.name) + struct.pack(">i", topic.partitions)
            for partition in range(topic.partitions):
                body += struct.pack(">iq", partition, timestamp)
        answer = self._ask(LIST_OFFSETS, 1, body)
        found = {}
        for _ in range(answer.take("i")):
            name = answer.text()
            for _ in range(answer.take("i")):
                partition, error = answer.take("i"), answer.take("h")
                answer.take("q")  # timestamp
                offset = answer.take("q")
                if error:
                    raise error_of(error, f"Kafka does not report the offsets of {name}, partition {partition}")
                found[name, partition] = Position(offset)
        return found

    def delete_records(self, topics: Iterable[Topic], *, timeout_ms: int = 5000) -> dict[Place, Position]:
        """Delete every record. Return where each partition's log starts now, which is its end.

        A topic that was deleted meanwhile is left out.
        """
        topics = list(topics)
        return self._until_ready(lambda: self._delete_records(topics, timeout_ms)) if topics else {}

    def _delete_records(self, topics: list[Topic], timeout_ms: int) -> dict[Place, Position]:
        body = struct.pack(">i", len(topics))
        for topic in topics:
            body += string(topic.name) + struct.pack(">i", topic.partitions)
            for partition in range(topic.partitions):
                body += struct.pack(">iq", partition, -1)  # -1: up to the high watermark
        answer = self._ask(DELETE_RECORDS, 1, body + struct.pack(">i", timeout_ms))
        answer.take("i")  # throttle time
        starts = {}
        for _ in range(answer.take("i")):
            name = answer.text()
            for _ in range(answer.take("i")):
                partition, start, error = answer.take("i"), answer.take("q"), answer.take("h")
                if error == NO_SUCH_TOPIC:
                    continue
                if error:
                    raise error_of(error, f"Kafka did not delete the records of {name}, partition {partition}")
                starts[name, partition] = Position(start)
        return starts


def string(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">h", len(data)) + data
