"""Write every record from the mark to the end of each partition as a file for the evidence. No consumer group is affected."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from labkit.brokers.model import Broker, Place, Position, Record
from labkit.evidence import messages
from labkit.evidence.table_files import LONGEST, TableFile, TableFiles, milliseconds, number, optional, quoted

TABLES = ("records", "planted_records")


def read(
    broker: Broker,
    wire: messages.Wire,
    starts: Mapping[Place, Position],
    ends: Mapping[Place, Position],
    folder: Path,
    progress: Callable[[int], None] = lambda records: None,
    unanswered: Collection[str] = (),
) -> int:
    """Write the records of each place from its start up to its end. Note which of them the `unanswered` faults planted.

    Returns the number of records. Raises OSError if the broker is gone.
    """
    count = 0
    with TableFiles(folder, TABLES) as files:
        for batch in broker.read(starts, ends):
            for record in batch:
                _write(record, wire, files["records"])
                if record.planted_by in unanswered:
                    place = f"{quoted(record.channel)},{record.partition},{record.position}"
                    files["planted_records"].add(f"{record.planted_by},{place},")
            count += len(batch)
            progress(len(batch))
    return count


def _write(record: Record, wire: messages.Wire, file: TableFile) -> None:
    topic, value = record.channel, record.value
    key = None if record.key is None else record.key.decode(errors="replace")
    appended = milliseconds(record.time_ms)
    head = f"{quoted(topic)},{quoted(wire.channel(topic))},{record.partition},{record.position}"
    found = messages.of_record(value)
    if not found:
        bytes_kept = "" if value is None else value[:LONGEST].hex()
        file.add(f"{head},0,{optional(key)},,,,,,,,,,,,,{bytes_kept},{appended}")
    for index, (headers, payload) in enumerate(found):
        about = wire.about(headers, payload)
        ids = f"{number(about.aggregate_id)},{number(about.order_id)},{number(about.customer_id)}"
        identity = f"{optional(about.message_id)},{optional(about.type)},{optional(about.event)},{optional(about.aggregate_type)}"
        usual = about.destination == topic and about.key == key
        texts = f"{'' if usual else quoted(bytes(headers)[:LONGEST].decode(errors='replace'))},{quoted(payload)}"
        saga = f"{optional(about.saga_id)},{optional(about.reply_to)}"
        file.add(f"{head},{index},{optional(key)},{identity},{ids},{about.total or ''},{saga},{texts},,{appended}")
