"""The inbox on a real server: a message is received once, even when two transactions receive it at the same time."""

import asyncio

import pytest

from services.messaging import inbox
from tests.messaging.servers import Schema
from tests.messaging.shop import database
from tests.running import wait_until


def received(schema: Schema) -> list[tuple[str, str]]:
    return [
        (subscriber, message) for subscriber, message in schema.rows("SELECT consumer_id, message_id FROM received_messages ORDER BY 1, 2")
    ]


def test_a_message_is_new_once_for_each_subscriber(schema: Schema) -> None:
    async def main() -> None:
        opened = database(schema)
        for subscriber in ("one", "other"):
            async with opened.transaction() as tx:
                inbox.receive(tx, subscriber, ["m-1"])
        with pytest.raises(inbox.ReceivedBefore):
            async with opened.transaction() as tx:
                inbox.receive(tx, "one", ["m-1"])
        opened.close()

    asyncio.run(main())
    assert received(schema) == [("one", "m-1"), ("other", "m-1")]


def test_of_several_one_that_is_known_takes_the_others_back(schema: Schema) -> None:
    async def main() -> None:
        opened = database(schema)
        async with opened.transaction() as tx:
            inbox.receive_again(tx, "one", ["m-1"])
        with pytest.raises(inbox.ReceivedBefore):
            async with opened.transaction() as tx:
                inbox.receive(tx, "one", ["m-1", "m-2"])
        async with opened.transaction() as tx:
            inbox.receive_again(tx, "one", ["m-1", "m-3"])
        opened.close()

    asyncio.run(main())
    assert received(schema) == [("one", "m-1"), ("one", "m-3")]


def test_ids_that_differ_in_capitals_or_a_blank_are_different(schema: Schema) -> None:
    ids = ["m-a", "m-A", "m-a ", "m-ä"]

    async def main() -> None:
        opened = database(schema)
        async with opened.transaction() as tx:
            inbox.receive(tx, "one", ids)
        opened.close()

    asyncio.run(main())
    assert sorted(message for _, message in received(schema)) == sorted(ids)


@pytest.mark.parametrize(("first_commits", "expected"), [(True, [type(None), inbox.ReceivedBefore]), (False, [LookupError, type(None)])])
def test_who_receives_it_second_waits_for_the_first(schema: Schema, first_commits: bool, expected: list[type]) -> None:
    async def main() -> None:
        opened = database(schema)
        decided, has_it = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with opened.transaction() as tx:
                inbox.receive(tx, "one", ["m-1"])
                await tx.flush()
                has_it.set()
                await decided.wait()
                if not first_commits:
                    raise LookupError

        async def second() -> None:
            await has_it.wait()
            async with opened.transaction() as tx:
                inbox.receive(tx, "one", ["m-1"])

        both = asyncio.gather(first(), second(), return_exceptions=True)
        await asyncio.to_thread(wait_until, lambda: waits_for_a_lock(schema), "the second one waits")
        decided.set()
        outcomes = await both
        assert [type(outcome) for outcome in outcomes] == expected
        opened.close()

    asyncio.run(main())
    assert received(schema) == [("one", "m-1")]


def waits_for_a_lock(schema: Schema) -> bool:
    return bool(schema.rows("SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"))
