"""Where Kafka's logs begin and end and what the consumer groups have taken, in Kafka's own protocol: asked many times a second while
waiting for stillness, by a process that has no time to load a client library.

https://kafka.apache.org/protocol
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labkit.stack.kafka_wire import Broker, Topic

LIST_OFFSETS, OFFSET_FETCH, DESCRIBE_GROUPS, LIST_GROUPS = 2, 9, 15, 16
EARLIEST, LATEST = -2, -1
Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True)
class Group:
    """`committed` has the next offset to take of each place that the group has ever committed."""

    id: str
    state: str
    members: int
    committed: Mapping[Place, int]


class Positions(Broker):
    """One connection. Raises OSError when nobody answers in time, ValueError for an answer that is an error."""

    def offsets(self, topics: Iterable[Topic], timestamp: int) -> dict[Place, int]:
        """The EARLIEST or LATEST offset of each partition."""
        topics = list(topics)
        if not topics:
            return {}
        body = struct.pack(">ii", -1, len(topics))
        for topic in topics:
            body += _text(topic.name) + struct.pack(">i", topic.partitions)
            for partition in range(topic.partitions):
                body += struct.pack(">iq", partition, timestamp)
        answer = self._ask(LIST_OFFSETS, 1, body)
        found = {}
        for _ in range(answer.take("i")):
            name = answer.text()
            for _ in range(answer.take("i")):
                partition, error = answer.take("i"), answer.take("h")
                answer.take("q")  # the time stamp
                offset = answer.take("q")
                if error:
                    raise ValueError(f"Kafka does not tell the offsets of {name}, partition {partition}: error {error}")
                found[name, partition] = offset
        return found

    def committed(self, group: str) -> dict[Place, int]:
        """All that a group has committed; nothing for a group that there is not."""
        answer = self._ask(OFFSET_FETCH, 2, _text(group) + struct.pack(">i", -1))
        found = {}
        for _ in range(answer.take("i")):
            name = answer.text()
            for _ in range(answer.take("i")):
                partition, offset = answer.take("i"), answer.take("q")
                answer.text(), answer.take("h")
                if offset >= 0:
                    found[name, partition] = offset
        if error := answer.take("h"):
            raise ValueError(f"Kafka does not tell the offsets of the group {group}: error {error}")
        return found

    def group_ids(self) -> list[str]:
        answer = self._ask(LIST_GROUPS, 0, b"")
        if error := answer.take("h"):
            raise ValueError(f"Kafka does not list its groups: error {error}")
        ids = []
        for _ in range(answer.take("i")):
            ids.append(answer.text())
            answer.text()  # protocol type
        return sorted(ids)

    def groups(self, ids: Iterable[str]) -> list[Group]:
        ids = list(ids)
        if not ids:
            return []
        answer = self._ask(DESCRIBE_GROUPS, 0, struct.pack(">i", len(ids)) + b"".join(map(_text, ids)))
        described = []
        for _ in range(answer.take("i")):
            answer.take("h")
            group, state = answer.text(), answer.text()
            answer.text(), answer.text()  # protocol type, protocol
            members = answer.take("i")
            for _ in range(members):
                answer.text(), answer.text(), answer.text()
                for _ in range(2):  # metadata, assignment
                    answer.skip(max(answer.take("i"), 0))
            described.append((group, state, members))
        return [Group(group, state, members, self.committed(group)) for group, state, members in described]


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">h", len(data)) + data
