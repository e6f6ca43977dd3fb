"""What the consumer groups have taken, in Kafka's own protocol: asked many times a second while waiting for stillness, by a process
that has no time to load a client library.

https://kafka.apache.org/protocol
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labkit.evidence.kafka_batches import readable
from labkit.stack.kafka_wire import Broker, Place, error_of, string

FETCH, OFFSET_FETCH, DESCRIBE_GROUPS, LIST_GROUPS = 1, 9, 15, 16
READ_COMMITTED = 1
FETCHED = 1 << 16  # bytes of a partition in one answer; the first batch is always whole


@dataclass(frozen=True)
class Group:
    """`committed` has the next offset to take of each place that the group has ever committed."""

    id: str
    state: str
    members: int
    committed: Mapping[Place, int]
    strangers: tuple[str, ...] = ()  # members beside the stack's own


@dataclass(frozen=True)
class Behind:
    """What a group has yet to take: how many offsets at most, of the places that hold a record for it. `held`: where records wait for the
    end of a producer's transaction, and from which offset on."""

    lag: Mapping[Place, int]
    held: Mapping[Place, int]


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

    def behind(self, committed: Mapping[Place, int], starts: Mapping[Place, int], ends: Mapping[Place, int]) -> Behind:
        """Offsets are not records: where some are left, it is looked whether one of them holds a record that consumers are given."""
        open_from = {place: max(committed.get(place, 0), starts[place]) for place in ends}
        lag, held = {}, {}
        for place, end in ends.items():
            start = open_from[place]
            while start < end:
                found, went_to, stable = self._until_ready(lambda place=place, start=start: self._fetched(place, start))  # type: ignore[misc]
                if stable < end:
                    held[place] = stable
                if found:
                    lag[place] = end - open_from[place]
                if found or went_to == start:
                    break
                start = went_to
        return Behind(lag, held)

    def _fetched(self, place: Place, start: int) -> tuple[bool, int, int]:
        """(is there a record for consumers?, where to go on, up to where transactions have ended)"""
        topic, partition = place
        body = struct.pack(">iiiib", -1, 0, 0, FETCHED, READ_COMMITTED) + struct.pack(">i", 1) + string(topic)
        answer = self._ask(FETCH, 4, body + struct.pack(">iiqi", 1, partition, start, FETCHED))
        answer.take("i"), answer.take("i"), answer.text(), answer.take("i"), answer.take("i")
        error, _, stable = answer.take("h"), answer.take("q"), answer.take("q")
        if error:
            raise error_of(error, f"Kafka does not give the records of {topic}, partition {partition}")
        aborted = [(answer.take("q"), answer.take("q")) for _ in range(max(answer.take("i"), 0))]
        found, went_to = readable(answer.bytes(), start, aborted)
        return found, went_to, stable

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
        return [Group(group, state, len(members), self.committed(group), _strangers(group, members)) for group, state, members in described]

    def _described(self, ids: list[str]) -> list[tuple[str, str, list[tuple[str, str]]]]:
        """(group, state, members: each with its id, and a name for people)"""
        answer = self._ask(DESCRIBE_GROUPS, 0, struct.pack(">i", len(ids)) + b"".join(map(string, ids)))
        described = []
        for _ in range(answer.take("i")):
            error, group, state = answer.take("h"), answer.text(), answer.text()
            if error:
                raise error_of(error, f"Kafka does not describe the group {group}")
            answer.text(), answer.text()  # protocol type, protocol
            members = []
            for _ in range(answer.take("i")):
                member, client, host = answer.text(), answer.text(), answer.text()
                members.append((member, f"{client} at {host.removeprefix('/')}"))
                for _ in range(2):  # metadata, assignment
                    answer.skip(max(answer.take("i"), 0))
            described.append((group, state, members))
        return described


def _strangers(group: str, members: list[tuple[str, str]]) -> tuple[str, ...]:
    """A service of the stack is a static member, and Kafka makes its id of the name that it goes by. Where none is there, a service of
    somebody else's may stand for it."""
    own = [member for member, _ in members if f".{group}-" in member]
    return tuple(who for member, who in members if own and member not in own)
