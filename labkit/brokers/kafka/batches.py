"""Find the offsets of a partition that hold a record for consumers.

Transactions leave markers, which are not records; records of aborted transactions are not delivered; and compaction leaves gaps.

https://kafka.apache.org/documentation/#recordbatch
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEADER = struct.Struct(">qiibIhiqqqhii")
CODEC, TRANSACTIONAL, CONTROL = 0b111, 0b10000, 0b100000
GZIP, MARKED_ABORT = 1, 0
PREFIX = 12  # bytes of the base offset and the length, which the length itself does not include


@dataclass(frozen=True)
class Batch:
    base: int
    last: int
    attributes: int
    producer: int
    count: int
    data: bytes

    def offsets(self) -> Iterator[int]:
        """Yield the offsets of the batch's records, or only that of its last record if Python cannot decompress the batch."""
        data = self.data
        if self.attributes & CODEC == GZIP:
            data = zlib.decompress(data, zlib.MAX_WBITS | 16)
        elif self.attributes & CODEC:
            yield self.last
            return
        at = 0
        for _ in range(self.count):
            size, at = _varint(data, at)
            _, delta_at = _varint(data, at + 1)  # after the attributes and the time
            yield self.base + _varint(data, delta_at)[0]
            at += size

    def aborts(self) -> bool:
        """For a marker: whether it ends an aborted transaction. The key of its only record consists of a version and a kind."""
        _, at = _varint(self.data, 0)
        at += 1  # attributes
        for _ in range(3):  # time, offset, length of the key
            _, at = _varint(self.data, at)
        return int(struct.unpack_from(">hh", self.data, at)[1]) == MARKED_ABORT


def batches(data: bytes) -> Iterator[Batch]:
    """Yield the complete batches of an answer. Its last batch may be cut off."""
    at = 0
    while at + HEADER.size <= len(data):
        base, length, _, magic, _, attributes, delta, _, _, producer, _, _, count = HEADER.unpack_from(data, at)
        end = at + PREFIX + length
        if end > len(data):
            return
        if magic < 2:
            raise ValueError(f"Kafka holds records in a format ({magic}) that labkit does not read")
        yield Batch(base, base + delta, attributes, producer, count, data[at + HEADER.size : end])
        at = end


def readable(data: bytes, start: int, aborted: Sequence[tuple[int, int]]) -> tuple[bool, int]:
    """Return whether consumers receive a record at or after `start`, and where to continue.

    `aborted` holds the producer and the first offset of each aborted transaction.
    """
    ahead, gone = sorted(aborted, key=lambda transaction: transaction[1]), set[int]()
    for batch in batches(data):
        while ahead and ahead[0][1] <= batch.last:
            gone.add(ahead.pop(0)[0])
        if batch.attributes & CONTROL:
            if batch.count and batch.aborts():
                gone.discard(batch.producer)
        elif not (batch.attributes & TRANSACTIONAL and batch.producer in gone) and any(offset >= start for offset in batch.offsets()):
            return True, start
        start = max(start, batch.last + 1)
    return False, start


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
