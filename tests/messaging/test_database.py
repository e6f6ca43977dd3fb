"""Local transactions on a real server: all or nothing, and what is known after a lost connection or a lock time-out."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.messaging.database import Database, Transaction
from services.messaging.ids import IdGenerator
from services.mysql.connection import TransientError
from tests.messaging.cutting import cutting
from tests.messaging.servers import MysqlDatabase, Schema
from tests.messaging.shop import TABLE, database, effects
from tests.messaging.until import until
from tests.running import wait_until


class Wrong(Exception):
    pass


@pytest.fixture
def schema(mysql: MysqlDatabase) -> Schema:
    made = mysql.new_schema()
    made.rows(TABLE)
    return made


def insert(tx: Transaction, number: int) -> None:
    tx.write("INSERT INTO effect (number) VALUES (%s)", number)


def run(schema: Schema, work: Callable[[Database], Awaitable[None]]) -> None:
    async def main() -> None:
        opened = database(schema)
        try:
            await work(opened)
        finally:
            opened.close()

    asyncio.run(main())


def test_state_and_messages_are_committed_together_or_not_at_all(schema: Schema) -> None:
    async def work(opened: Database) -> None:
        async with opened.transaction() as tx:
            insert(tx, 1)
            tx.publish_message("a-channel", "1", {}, "{}")

        async def fails() -> None:
            async with opened.transaction() as tx:
                insert(tx, 2)
                tx.publish_message("a-channel", "1", {}, "{}")
                await tx.flush()
                raise Wrong

        with pytest.raises(Wrong):
            await fails()
        async with opened.transaction() as tx:  # the failed transaction's connection is clean
            insert(tx, 3)

    run(schema, work)
    assert effects(schema) == [1, 3]
    assert schema.rows("SELECT destination, payload, published FROM message") == [("a-channel", "{}", 0)]


def test_a_statement_that_changes_another_number_of_rows_than_expected_commits_nothing(schema: Schema) -> None:
    async def work(opened: Database) -> None:
        async def fails(expected: int) -> None:
            async with opened.transaction() as tx:
                insert(tx, 1)
                tx.expect(expected, Wrong())

        for expected in (0, 2):
            with pytest.raises(Wrong):
                await fails(expected)
        async with opened.transaction() as tx:
            insert(tx, 2)
            tx.expect(1, Wrong())
            assert await tx.rows("SELECT number FROM effect") == [(2,)]

    run(schema, work)
    assert effects(schema) == [2]


def test_an_idle_connection_that_the_server_closed_is_replaced(schema: Schema) -> None:
    async def work(opened: Database) -> None:
        async with opened.transaction() as tx:
            first = await tx.row("SELECT CONNECTION_ID()")
        assert first is not None
        schema.rows(f"KILL CONNECTION {first[0]}")
        await until(lambda: opened._idle[0]._reader.at_eof(), "the end of the connection has arrived")
        async with opened.transaction() as tx:
            insert(tx, 1)
            assert await tx.row("SELECT CONNECTION_ID()") != first

    run(schema, work)
    assert effects(schema) == [1]


def test_a_connection_lost_before_the_commit_has_changed_nothing(schema: Schema) -> None:
    async def work(opened: Database) -> None:
        async def fails() -> None:
            async with opened.transaction() as tx:
                insert(tx, 1)
                own = await tx.row("SELECT CONNECTION_ID()")
                assert own is not None
                schema.rows(f"KILL CONNECTION {own[0]}")
                await tx.rows("SELECT 1")

        with pytest.raises(TransientError) as lost:
            await fails()
        assert not lost.value.outcome_unknown

    run(schema, work)
    assert effects(schema) == []


@pytest.mark.parametrize("arrives", [True, False])
def test_of_a_commit_without_an_answer_the_outcome_is_unknown(schema: Schema, mysql: MysqlDatabase, arrives: bool) -> None:
    async def main() -> None:
        with cutting(mysql.port) as proxy:
            opened = Database(schema.through(proxy.port), IdGenerator(7))
            async with opened.transaction() as tx:
                insert(tx, 1)
            proxy.arm(b"COMMIT", pass_on=arrives)
            with pytest.raises(TransientError) as lost:
                async with opened.transaction() as tx:
                    insert(tx, 2)
            assert lost.value.outcome_unknown
            opened.close()

    asyncio.run(main())
    # The server commits even though the client no longer waits for its answer.
    wait_until(lambda: effects(schema) == ([1, 2] if arrives else [1]), "the server is done with it")


def test_a_deadlock_ends_one_transaction_which_is_worth_trying_again(schema: Schema) -> None:
    schema.rows("INSERT INTO effect (number) VALUES (1), (2)")

    async def work(opened: Database) -> None:
        both = asyncio.Barrier(2)
        failures: list[TransientError] = []

        async def lock(first: int, second: int) -> None:
            for attempt in range(2):
                try:
                    async with opened.transaction() as tx:
                        await tx.run("UPDATE effect SET number = number + 10 WHERE message_order = %s", first)
                        if attempt == 0:
                            await both.wait()
                        await tx.run("UPDATE effect SET number = number + 10 WHERE message_order = %s", second)
                    return
                except TransientError as error:
                    failures.append(error)

        await asyncio.gather(lock(1, 2), lock(2, 1))
        assert [failure.outcome_unknown for failure in failures] == [False]

    run(schema, work)
    assert effects(schema) == [21, 22]


def test_without_a_server_it_says_so(schema: Schema) -> None:
    async def main() -> None:
        with pytest.raises(TransientError) as refused:
            await Database(schema.through(1), IdGenerator(7)).rows("SELECT 1")
        assert not refused.value.outcome_unknown

    asyncio.run(main())


def test_ids_go_on_above_the_last_one_in_the_outbox(schema: Schema) -> None:
    async def main() -> None:
        for address, clock_ms in ((7, 1_000), (8, 10)):  # the second clock is behind
            opened = Database(schema.settings, IdGenerator(address, clock_ms=lambda now=clock_ms: now))  # type: ignore[misc]
            await opened.ready()
            async with opened.transaction() as tx:
                tx.publish_message("a-channel", str(address), {}, "{}")
            opened.close()

    asyncio.run(main())
    assert schema.rows("SELECT json_value(headers, '$.PARTITION_ID') FROM message ORDER BY id") == [("7",), ("8",)]
