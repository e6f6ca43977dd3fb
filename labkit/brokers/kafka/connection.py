"""Kafka as a Connection: its topics, and what its consumer groups have taken.

labkit asks many times a second while it waits for stillness, in a process that has no time to load a client library.

https://kafka.apache.org/protocol
"""

import struct
from collections.abc import Iterable, Mapping

from labkit.brokers.kafka.batches import readable
from labkit.brokers.kafka.wire import EARLIEST, LATEST, Topic, WireClient, error_of, string
from labkit.brokers.model import Behind, Bounds, Group, Place, Position

FETCH, OFFSET_FETCH, DESCRIBE_GROUPS, LIST_GROUPS = 1, 9, 15, 16
READ_COMMITTED = 1
FETCHED = 1 << 16  # bytes of a partition in one answer; the first batch is always complete


class KafkaConnection(WireClient):
    def channels(self) -> dict[str, int]:
        return {topic.name: topic.partitions for topic in self.topics()}

    def bounds(self, channels: Mapping[str, int]) -> dict[Place, Bounds]:
        topics = [Topic(name, partitions) for name, partitions in channels.items()]
        starts, ends = self.offsets(topics, EARLIEST), self.offsets(topics, LATEST)
        return {place: Bounds(starts[place], end, end - starts[place], end) for place, end in ends.items()}

    def empty(self, channels: Mapping[str, int]) -> dict[Place, Position]:
        return self.delete_records(Topic(name, partitions) for name, partitions in channels.items())

    def committed(self, group: str) -> dict[Place, Position]:
        return self._until_ready(lambda: self._committed(group))

    def _committed(self, group: str) -> dict[Place, Position]:
        answer = self._ask(OFFSET_FETCH, 2, string(group) + struct.pack(">i", -1))
        found = {}
        for _ in range(answer.take("i")):
            name = answer.text()
            for _ in range(answer.take("i")):
                partition, offset = answer.take("i"), answer.take("q")
                answer.text(), answer.take("h")
                if offset >= 0:
                    found[name, partition] = Position(offset)
        if error := answer.take("h"):
            raise error_of(error, f"Kafka does not report the offsets of the group {group}")
        return found

    def behind(self, committed: Mapping[Place, Position], bounds: Mapping[Place, Bounds]) -> Behind:
        """Return what a group has not taken yet.

        An offset need not hold a record. Where offsets are left, the log is searched for a record that consumers receive.
        """
        lag: dict[Place, int] = {}
        held: dict[Place, Position] = {}
        for place, of in bounds.items():
            open_from = max(committed.get(place, of.start), of.start)
            start: int = open_from
            while start < of.end:
                found, went_to, stable = self._until_ready(lambda place=place, start=start: self._fetched(place, start))  # type: ignore[misc]
                if stable < of.end:
                    held[place] = Position(stable)
                if found:
                    lag[place] = of.end - open_from
                if found or went_to == start:
                    break
                start = went_to
        return Behind(lag, held)

    def _fetched(self, place: Place, start: int) -> tuple[bool, int, int]:
        """Return (whether there is a record for consumers, where to continue, up to where transactions have ended)."""
        topic, partition = place
        body = struct.pack(">iiiib", -1, 0, 0, FETCHED, READ_COMMITTED) + struct.pack(">i", 1) + string(topic)
        answer = self._ask(FETCH, 4, body + struct.pack(">iiqi", 1, partition, start, FETCHED))
        answer.take("i"), answer.take("i"), answer.text(), answer.take("i"), answer.take("i")
        error, _, stable = answer.take("h"), answer.take("q"), answer.take("q")
        if error:
            raise error_of(error, f"Kafka does not return the records of {topic}, partition {partition}")
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
        """Return (group, state, members) for each group; a member is its id and a name for people."""
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
    """Return the members that do not belong to the stack.

    The stack's services are static members, and Kafka derives their member ids from their own names. Without any such member, a service
    from elsewhere may be taking the place of the stack's own, so no member counts as foreign.
    """
    own = [member for member, _ in members if f".{group}-" in member]
    return tuple(who for member, who in members if own and member not in own)
