"""Every record from the mark to the end of each partition, written as a file for the evidence, without any group hearing of it."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.evidence import messages
from labkit.evidence.table_files import LONGEST, TableFile, TableFiles, milliseconds, number, optional, quoted
from labkit.faults.targets import PLANTED_BY
from labkit.stack.kafka_wire import Place
from labkit.stack.model import Account, kafka_client

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

ANSWER_TIMEOUT = 10.0  # seconds without any record
BATCH = 1000
TABLES = ("records", "planted_records")
UNREADABLE = (-198, -199)  # librdkafka's for a batch whose compression or form is wrong; it would try for ever to read it


def read(
    account: Account,
    wire: messages.Wire,
    starts: Mapping[Place, int],
    ends: Mapping[Place, int],
    folder: Path,
    tell: Callable[[int], None] = lambda records: None,
    unanswered: Collection[str] = (),
) -> int:
    """Write the records of each place from its start up to its end, and which of them the `unanswered` faults planted.

    Returns how many there were. Raises OSError when Kafka is gone."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    unread = {place: ends[place] for place, start in starts.items() if start < ends.get(place, 0)}
    with TableFiles(folder, TABLES) as files:
        if not unread:
            return 0
        consumer = Consumer(
            {
                **kafka_client(account),
                "group.id": "labkit",  # never joined, nothing committed: Kafka does not know it
                "enable.auto.commit": False,
                "isolation.level": "read_committed",  # what was aborted is given to nobody
                "auto.offset.reset": "error",
                "enable.partition.eof": True,  # transactions leave offsets that hold no record
                "check.crcs": False,
                "fetch.wait.max.ms": 10,
                "queued.max.messages.kbytes": 32_768,
                "log_level": 0,
            }
        )
        try:
            consumer.assign([TopicPartition(topic, partition, starts[topic, partition]) for topic, partition in unread])
            return _read(consumer, unread, wire, files, tell, unanswered)
        except KafkaException as error:
            raise OSError(f"Kafka does not give its records: {error.args[0].str()}") from error
        finally:
            consumer.close()


def _read(
    consumer: "Consumer",
    unread: dict[Place, int],
    wire: messages.Wire,
    files: TableFiles,
    tell: Callable[[int], None],
    unanswered: Collection[str],
) -> int:
    from confluent_kafka import KafkaError, KafkaException, TopicPartition

    count = 0
    reached = dict.fromkeys(unread, 0)
    while unread:
        batch = consumer.consume(BATCH, 0.02) or consumer.consume(1, ANSWER_TIMEOUT)
        if not batch:
            raise OSError(f"Kafka gave no further record within {ANSWER_TIMEOUT:.0f} s")
        for message in batch:
            place = (message.topic() or "", message.partition() or 0)
            if (error := message.error()) is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    unread.pop(place, None)
                    continue
                if error.code() not in UNREADABLE or (message.offset() or 0) < 0:
                    raise KafkaException(error)
            offset, end = message.offset() or 0, unread.get(place)
            if error is not None:  # names the first record of its batch, until the last one has been stepped over
                offset = max(offset, reached[place])
                consumer.seek(TopicPartition(*place, offset + 1))
            reached[place] = offset + 1
            if end is None or offset >= end:
                unread.pop(place, None)
                continue
            _write(message, place, offset, wire, files["records"])
            if unanswered and (fault := _planted_by(message)) in unanswered:
                files["planted_records"].add(f"{fault},{quoted(place[0])},{place[1]},{offset},")
            count += 1
            if offset + 1 == end:
                unread.pop(place)
        tell(len(batch))
    return count


def _planted_by(message: "Message") -> str | None:
    value = dict(message.headers() or ()).get(PLANTED_BY)
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _write(message: "Message", place: Place, offset: int, wire: messages.Wire, file: TableFile) -> None:
    topic, partition = place
    value = None if message.error() is not None else message.value()  # of an error, its text
    data = value.encode() if isinstance(value, str) else value
    key = message.key()
    text_key = key.decode(errors="replace") if isinstance(key, bytes) else key
    kind, written = message.timestamp()
    appended = milliseconds(written) if kind else ""
    head = f"{quoted(topic)},{quoted(wire.channel(topic))},{partition},{offset}"
    found = messages.of_record(data)
    if not found:
        whole = "" if data is None else data[:LONGEST].hex()
        file.add(f"{head},0,{optional(text_key)},,,,,,,,,,,,,{whole},{appended}")
    for index, (headers, payload) in enumerate(found):
        about = wire.about(headers, payload)
        ids = f"{number(about.aggregate_id)},{number(about.order_id)},{number(about.customer_id)}"
        said = f"{optional(about.message_id)},{optional(about.type)},{optional(about.event)},{optional(about.aggregate_type)}"
        usual = about.destination == topic and about.key == text_key
        texts = f"{'' if usual else quoted(bytes(headers)[:LONGEST].decode(errors='replace'))},{quoted(payload)}"
        saga = f"{optional(about.saga_id)},{optional(about.reply_to)}"
        file.add(f"{head},{index},{optional(text_key)},{said},{ids},{about.total or ''},{saga},{texts},,{appended}")
