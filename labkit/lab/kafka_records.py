"""All records that Kafka holds of a topic, without joining any group."""

import asyncio

from labkit.lab.check import NotJudged


def read_records(bootstrap: str, topic: str, *, timeout_s: float = 10.0) -> list[bytes]:
    """The values of all records from the log's start to its end at the time of the call. Raises NotJudged."""
    try:
        return asyncio.run(asyncio.wait_for(_read(bootstrap, topic), timeout_s))
    except Exception as error:
        from aiokafka.errors import KafkaError

        if isinstance(error, KafkaError | TimeoutError | OSError):
            raise NotJudged(f"Kafka does not answer: {error or type(error).__name__}.", next_step="labkit status") from error
        raise


async def _read(bootstrap: str, topic: str) -> list[bytes]:
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = consumer.assignment()
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        values: list[bytes] = []
        unread = {place for place in places if starts[place] < ends[place]}
        while unread:
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                values += [record.value for record in records if record.value is not None]
                if await consumer.position(place) >= ends[place]:
                    unread.discard(place)
        return values
    finally:
        await consumer.stop()
