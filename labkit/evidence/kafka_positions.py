"""What the consumer groups have taken, in Kafka's own protocol: asked many times a second while waiting for stillness, by a process
that has no time to load a client library.

https://kafka.apache.org/protocol
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labkit.stack.kafka_wire import Broker, Place, error_of, string

OFFSET_FETCH, DESCRIBE_GROUPS, LIST_GROUPS = 9, 15, 16


@dataclass(frozen=True)
class Group:
    """`committed` has the next offset to take of each place that the group has ever committed."""

    id: str
    state: str
    members: int
    committed: Mapping[Place, int]


class Positions(Broker):
    """One connection. Raises OSError when nobody answers in time, ValueError for an answer that is an error."""

    def committed(self, group: str) -> dict[Place, int]:
        """All that a group has committed; nothing for a group that there is not."""
        return self._until_ready(lambda: self._committed(group))

    def _committed(self, group: str) -> dict[Place, int]:
        answer = self._ask(OFFSET_FETCH, 2, string(group) + struct.pack(">i", -1))
        found = {}
        for _ in range(answer.take("i")):
            name = answer.text()
            for _ in range(answer.take("i")):
                partition, offset = answer.take("i"), answer.take("q")
                answer.text(), answer.take("h")
                if offset >= 0:
                    found[name, partition] = offset
        if error := answer.take("h"):
            raise error_of(error, f"Kafka does not tell the offsets of the group {group}")
        return found

    def group_ids(self) -> list[str]:
        return self._until_ready(self._group_ids)

    def _group_ids(self) -> list[str]:
        answer = self._ask(LIST_GROUPS, 0, b"")
        if error := answer.take("h"):
            raise error_of(error, "Kafka does not list its groups")
        ids = []
        for _ in range(answer.take("i")):
            ids.append(answer.text())
            answer.text()  # protocol type
        return sorted(ids)

    def groups(self, ids: Iterable[str]) -> list[Group]:
        ids = list(ids)
        described = self._until_ready(lambda: self._described(ids)) if ids else []
        return [Group(group, state, members, self.committed(group)) for group, state, members in described]

    def _described(self, ids: list[str]) -> list[tuple[str, str, int]]:
        """(group, state, members)"""
        answer = self._ask(DESCRIBE_GROUPS, 0, struct.pack(">i", len(ids)) + b"".join(map(string, ids)))
        described = []
        for _ in range(answer.take("i")):
            error, group, state = answer.take("h"), answer.text(), answer.text()
            if error:
                raise error_of(error, f"Kafka does not describe the group {group}")
            answer.text(), answer.text()  # protocol type, protocol
            members = answer.take("i")
            for _ in range(members):
                answer.text(), answer.text(), answer.text()
                for _ in range(2):  # metadata, assignment
                    answer.skip(max(answer.take("i"), 0))
            described.append((group, state, members))
        return described
