"""Row changes from the binlog of MariaDB and MySQL: exactly the committed changes, in commit order."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from labkit.evidence import database, table_files
from labkit.evidence.binlog import events, reader, transactions
from labkit.evidence.binlog.replication import BinlogUnreadable, Position, packets
from labkit.evidence.binlog.row_decoder import decoder
from labkit.evidence.binlog.table_map import TableMap, table_map
from labkit.system.profiles.choreography import ORDER
from tests.evidence.servers import DatabaseServer, found_servers, running
from tests.running import PROFILE, wait_until

SERVERS = {f"{server.kind} {server.version}": server for server in found_servers()}
Ask = Callable[[str], list[Any]]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    with running(SERVERS[request.param]) as database_server:
        yield database_server


@pytest.fixture
def changes(server: DatabaseServer, tmp_path: Path) -> Callable[..., tuple[reader.Reading, Ask]]:
    """Reads the binlog from a position to its end, into an evidence database for queries."""

    def read(start: Position, stop: Position | None = None) -> tuple[reader.Reading, Ask]:
        reading = reader.read(server.observer, PROFILE, start, stop or server.position(), tmp_path)
        connection = database.new()
        table_files.load(connection, tmp_path)
        return reading, lambda query: connection.execute(query).fetchall()

    return read


def test_changes_come_with_images_in_commit_order(server: DatabaseServer, changes: Any) -> None:
    start = server.position()
    server.run(
        "INSERT INTO customer_db.customer (id, name, amount) VALUES (1, 'Ada \"the, first\"\n', 15.00), (2, NULL, 12345678901234567890.12)",
        "BEGIN",
        "INSERT INTO order_db.orders (id, customer_id, amount, state) VALUES (9, 1, 12.34, 'PENDING')",
        "UPDATE order_db.orders SET state = 'REJECTED', rejection_reason = 0 WHERE id = 9",
        "COMMIT",
        "UPDATE customer_db.customer SET amount = -0.05 WHERE id = 1",
        "DELETE FROM order_db.orders WHERE id = 9",
    )
    reading, ask = changes(start)
    assert reading.reason is None
    assert ask("SELECT op, after_id, after_name, after_credit_limit FROM customer_changes ORDER BY change_no") == [
        ("insert", 1, 'Ada "the, first"\n', Decimal("15.00")),
        ("insert", 2, None, Decimal("12345678901234567890.12")),
        ("update", 1, 'Ada "the, first"\n', Decimal("-0.05")),
    ]
    orders = (
        "SELECT commit_no, change_no, op, coalesce(after_id, before_id), before_state, before_rejection_reason, after_state,"
        " after_rejection_reason, after_total FROM order_changes"
    )
    assert ask(f"{orders} ORDER BY change_no") == [
        (2, 3, "insert", 9, None, None, "PENDING", None, Decimal("12.34")),
        (2, 4, "update", 9, "PENDING", None, "REJECTED", "INSUFFICIENT_CREDIT", Decimal("12.34")),
        (4, 6, "delete", 9, "REJECTED", "INSUFFICIENT_CREDIT", None, None, None),
    ]
    assert ask("SELECT count(*) FROM transactions") == [(4,)]


def test_what_was_rolled_back_is_not_there(server: DatabaseServer, changes: Any) -> None:
    start = server.position()
    insert = "INSERT INTO order_db.orders (customer_id, amount, state) VALUES (1, 1.00, 'PENDING')"
    server.run("BEGIN", insert, "ROLLBACK", "BEGIN", "SAVEPOINT a", insert, "ROLLBACK TO a", "COMMIT")
    reading, ask = changes(start)
    assert (reading.commits, reading.reason, ask("SELECT * FROM changes")) == (0, None, [])


def test_a_state_of_one_instant_is_seen_across_rotation_and_crash(server: DatabaseServer, changes: Any) -> None:
    """The limit is exceeded only between two commits; there the log is rotated and the server is killed."""
    start = server.position()
    server.run(
        "INSERT INTO customer_db.customer (id, name, amount) VALUES (7, 'Grace', 15.00)",
        "INSERT INTO customer_db.customer_credit_reservations VALUES (7, 70, 10.00)",
        "INSERT INTO customer_db.customer_credit_reservations VALUES (7, 71, 10.00)",
        "FLUSH BINARY LOGS",
    )
    server.kill()
    server.start()
    server.run("DELETE FROM customer_db.customer_credit_reservations WHERE credit_reservations_key = 71")
    reading, ask = changes(start)
    assert reading.reason is None
    reserved = "SELECT commit_no, coalesce(after_amount, 0) - coalesce(before_amount, 0) AS amount FROM reservation_changes"
    sums = ask(f"SELECT commit_no, sum(amount) OVER (ORDER BY commit_no) FROM ({reserved}) ORDER BY commit_no")
    assert [total for _, total in sums] == [Decimal("10.00"), Decimal("20.00"), Decimal("10.00")]
    files = [file for (file,) in ask("SELECT DISTINCT binlog_file FROM transactions ORDER BY 1")]
    assert len(files) == 2


def test_the_reader_stops_exactly_where_it_is_told(server: DatabaseServer, changes: Any) -> None:
    start = server.position()
    server.run("INSERT INTO customer_db.customer (name, amount) VALUES ('in', 1.00)")
    stop = server.position()
    server.run("INSERT INTO customer_db.customer (name, amount) VALUES ('out', 1.00)")
    _, ask = changes(start, stop)
    assert ask("SELECT after_name FROM customer_changes") == [("in",)]


def test_progress_counts_each_change_once(server: DatabaseServer, tmp_path: Path) -> None:
    start, counts = server.position(), list[int]()
    rows = ", ".join(["('many', 1.00)"] * transactions.PROGRESS)
    for _ in range(3):
        server.run(f"INSERT INTO customer_db.customer (name, amount) VALUES {rows}")
    reading = reader.read(server.observer, PROFILE, start, server.position(), tmp_path, counts.append)
    assert counts == [transactions.PROGRESS] * 3
    assert sum(counts) == reading.changes


def test_outbox_and_inbox_rows_come_without_the_relays_marks(server: DatabaseServer, changes: Any) -> None:
    start = server.position()
    headers = (
        '{"ID":"m1","PARTITION_ID":"9","event-type":"a.b.OrderCreatedEvent","event-aggregate-type":"TOPIC","event-aggregate-id":"9"}'
    ).replace("TOPIC", ORDER.name)
    payload = '{"orderDetails":{"customerId":4,"orderTotal":{"amount":12.34}}}'
    server.run(
        f"INSERT INTO order_db.message (id, destination, headers, payload) VALUES ('m1', '{ORDER.name}', '{headers}', '{payload}')",
        "UPDATE order_db.message SET published = 1",
        "INSERT INTO customer_db.received_messages (consumer_id, message_id) VALUES ('OrderEventConsumer', 'm1')",
        "DELETE FROM order_db.message",
    )
    reading, ask = changes(start)
    assert reading.reason is None
    assert ask(
        "SELECT op, message_id, channel, event, aggregate_id, order_id, customer_id, key FROM outbox_changes ORDER BY change_no"
    ) == [
        ("insert", "m1", "Order", "OrderCreated", 9, 9, 4, "9"),
        ("delete", "m1", "Order", "OrderCreated", 9, 9, 4, "9"),
    ]
    assert ask("SELECT schema_name, subscriber, message_id FROM inbox_changes") == [("customer_db", "OrderEventConsumer", "m1")]


def test_a_column_that_was_added_does_not_disturb(server: DatabaseServer, changes: Any) -> None:
    start = server.position()
    server.run(
        "ALTER TABLE order_db.orders ADD noted_time DATETIME(3) NULL FIRST, ADD note JSON",
        "INSERT INTO order_db.orders (customer_id, amount, state, noted_time, note) VALUES (3, 1.50, 'PENDING', NOW(3), '{}')",
        "ALTER TABLE order_db.orders DROP noted_time, DROP note",
    )
    reading, ask = changes(start)
    assert reading.reason is None
    assert ask("SELECT after_customer_id, after_total, after_state FROM order_changes") == [(3, Decimal("1.50"), "PENDING")]
    assert [kind for (kind,) in ask("SELECT kind FROM binlog_statements")] == ["ddl", "ddl"]


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (["TRUNCATE TABLE order_db.orders"], "was emptied"),
        (["USE order_db", "truncate orders"], "was emptied"),
        (["SET binlog_row_image = MINIMAL", "UPDATE customer_db.customer SET version = 1 + coalesce(version, 0)"], "binlog_row_image"),
        (["SET binlog_format = STATEMENT", "USE customer_db", "UPDATE customer_db.customer SET version = 3"], "logged as a statement"),
    ],
)
def test_what_hides_changes_is_named(server: DatabaseServer, changes: Any, statements: list[str], reason: str) -> None:
    server.run("INSERT INTO customer_db.customer (name, amount) VALUES ('Ada', 15.00)")
    start = server.position()
    server.run(*statements)
    reading, _ = changes(start)
    assert reading.reason is not None
    assert reason in reading.reason


def test_a_purged_binlog_is_named(server: DatabaseServer, changes: Any) -> None:
    start = server.position()
    server.run("INSERT INTO customer_db.customer (name, amount) VALUES ('Ada', 15.00)", "FLUSH BINARY LOGS")

    def purged() -> bool:  # the server keeps a file while recovery may need it
        server.run(f"PURGE BINARY LOGS TO '{server.position().file}'")
        return bool(server.run("SHOW BINARY LOGS")[0][0] != start.file)

    wait_until(purged, "the log's first file is gone")
    with pytest.raises(BinlogUnreadable, match="no longer there"):
        changes(start)


def test_column_types_that_a_learner_may_add(server: DatabaseServer) -> None:
    """Each value in the log must equal the value that the server shows for the same row."""
    columns = {
        "a": ("TINYINT UNSIGNED", "200"),
        "b": ("MEDIUMINT", "-70000"),
        "c": ("BIGINT UNSIGNED", "18446744073709551615"),
        "d": ("DECIMAL(20,10)", "-1234567890.0123456789"),
        "e": ("DATETIME(6)", "'2026-11-24 14:50:07.123456'"),
        "f": ("TIMESTAMP(3) NULL", "'2026-11-24 14:50:07.120'"),
        "g": ("DATE", "'2026-02-28'"),
        "h": ("CHAR(5)", "'né'"),
        "i": ("DECIMAL(5,0)", "321"),
        "j": ("ENUM('x','y')", "'y'"),
        "k": ("YEAR", "2026"),
        "l": ("DOUBLE", "2.5"),
        "m": ("TEXT", "NULL"),
    }
    server.run("CREATE DATABASE IF NOT EXISTS other", "DROP TABLE IF EXISTS other.types")
    server.run(f"CREATE TABLE other.types ({', '.join(f'{name} {type}' for name, (type, _) in columns.items())})")
    start = server.position()
    server.run(f"INSERT INTO other.types VALUES ({', '.join(value for _, value in columns.values())})")
    values = _first_row(server, start, list(columns))
    shown = server.run(f"SELECT {', '.join(f'CAST({name} AS CHAR)' for name in columns)} FROM other.types")[0]
    assert [str(text).strip("\2").removesuffix(".000000") for text in values] == [
        (text or "").replace("14:50:07.120", "14:50:07.120000") for text in shown
    ]


def _first_row(server: DatabaseServer, start: Position, wanted: list[str]) -> tuple[Any, ...]:
    checksum, found = 0, None
    with packets(server.observer, start) as stream:
        for packet in stream:
            if packet[5] == events.FORMAT_DESCRIPTION:
                checksum = events.checksum_size(packet)
            elif packet[5] == events.TABLE_MAP:
                found = table_map(packet[events.BODY + 8 : len(packet) - checksum])
            elif packet[5] in events.WRITES:
                assert isinstance(found, TableMap)
                at = events.BODY + 8 + (2 if packet[5] >= 30 else 0) + 1 + (len(found.columns) + 7) // 8
                return decoder(found, wanted)(packet, at)[0]
    raise AssertionError("no row in the log")
