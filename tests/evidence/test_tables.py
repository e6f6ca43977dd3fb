"""Both schemas at one moment, from MariaDB and MySQL: every value as it is stored, and equal to the result of the changes."""

import threading
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from labkit.evidence import database, mysql, replay, table_files
from labkit.evidence.binlog import reader
from labkit.system.profiles.choreography import CUSTOMER
from tests.evidence.servers import DatabaseServer, found_servers, running
from tests.running import PROFILE, wait_until

SERVERS = {f"{server.kind} {server.version}": server for server in found_servers()}
AWKWARD = 'né "x", \2 \\ \n☂'  # quotes, commas, the field's own quote, a new line


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    with running(SERVERS[request.param]) as database_server:
        yield database_server


def insert(server: DatabaseServer, statement: str, *values: object) -> None:
    from labkit.stack import sql

    with sql.connected(server.admin) as cursor:
        cursor.execute(statement, values)


def test_values_come_as_they_are_stored(server: DatabaseServer, tmp_path: Path) -> None:
    insert(server, "INSERT INTO customer_db.customer VALUES (1, %s, 123456789012345678901234567890.12, 1795531752233, 3)", AWKWARD)
    insert(server, "INSERT INTO customer_db.customer VALUES (2, NULL, NULL, NULL, NULL), (3, '', -0.05, 0, 0)")
    insert(
        server,
        "INSERT INTO order_db.orders VALUES (4611686018427387904, 5, 0.10, 'REJECTED', 2, 1, 0), (1, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    insert(server, "INSERT INTO customer_db.customer_credit_reservations VALUES (1, 77, 12.34)")
    insert(server, "INSERT INTO customer_db.received_messages VALUES (%s, %s, 1795531752233, 0)", AWKWARD, "m1")
    columns = "subscriber, channel, channel_partition, position, message_index, cause, record_value, creation_time"
    insert(
        server, f"INSERT INTO order_db.dead_letter ({columns}) VALUES ('s', 'c', 3, 4, 0, %s, %s, 1795531752000)", AWKWARD, b"\0\xff\2,\n"
    )
    tables = mysql.read(server.observer, PROFILE, tmp_path)
    assert (tables.missing, tables.kind, tables.position) == ([], server.server.kind, server.position())
    connection = database.new()
    table_files.load(connection, tmp_path)
    at = datetime(2026, 11, 24, 14, 49, 12, 233000)
    assert connection.execute("SELECT * FROM customers ORDER BY id").fetchall() == [
        (1, AWKWARD, Decimal("123456789012345678901234567890.12"), at, 3),
        (2, None, None, None, None),
        (3, "", Decimal("-0.05"), datetime(1970, 1, 1), 0),
    ]
    assert connection.execute("SELECT * FROM orders ORDER BY id").fetchall() == [
        (1, None, None, None, None, None),
        (4611686018427387904, 5, Decimal("0.10"), "REJECTED", "UNKNOWN_CUSTOMER", 2),
    ]
    assert connection.execute("SELECT * FROM reservations").fetchall() == [(1, 77, Decimal("12.34"))]
    assert connection.execute("SELECT * FROM inbox").fetchall() == [("customer_db", AWKWARD, "m1", at)]
    assert connection.execute("SELECT cause, value, key FROM dead_letters").fetchall() == [(AWKWARD, b"\0\xff\2,\n", None)]


@pytest.mark.parametrize("unusual", [False, True])
def test_outbox_rows_tell_what_they_are_about(server: DatabaseServer, tmp_path: Path, unusual: bool) -> None:
    usual = (
        '{"ID":"m1","PARTITION_ID":"4","DESTINATION":"a.Customer","DATE":"Tue, 24 Nov 2026 14:49:12 GMT",'
        '"event-type":"b.CustomerCreditReservedEvent","event-aggregate-type":"a.Customer","event-aggregate-id":"4"}'
    )
    usual = usual.replace("a.Customer", CUSTOMER.name)
    headers = usual if not unusual else usual.replace("}", ',"more":"x"}')
    server.run("DELETE FROM customer_db.message")
    statement = "INSERT INTO customer_db.message (id, destination, headers, payload, published) VALUES ('m1', %s, %s, %s, 1)"
    insert(server, statement, CUSTOMER.name, headers, '{"orderId":17}')
    mysql.read(server.observer, PROFILE, tmp_path)
    connection = database.new()
    table_files.load(connection, tmp_path)
    told = "SELECT schema_name, id, channel, key, event, aggregate_id, order_id, customer_id, published, headers FROM outbox"
    row = ("customer_db", "m1", "Customer", "4", "CustomerCreditReserved", 4, 17, 4, True, headers if unusual else None)
    assert connection.execute(told).fetchall() == [row]


def test_tables_and_position_belong_together_while_others_write(server: DatabaseServer, tmp_path: Path) -> None:
    """On a busy server, the changes up to the position lead to exactly the tables, or the mismatch is detected."""
    server.run("DELETE FROM customer_db.customer_credit_reservations", "DELETE FROM customer_db.customer", "DELETE FROM order_db.orders")
    server.run("DELETE FROM customer_db.message", "DELETE FROM customer_db.received_messages")
    start = server.position()
    ended = threading.Event()

    def write() -> None:
        from labkit.stack import sql

        with sql.connected(server.admin) as cursor:
            while not ended.is_set():
                cursor.execute("INSERT INTO order_db.orders (customer_id, amount, state) VALUES (1, 1.00, 'PENDING')")
                cursor.execute("UPDATE order_db.orders SET state = 'APPROVED' ORDER BY id DESC LIMIT 1")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: server.run("SELECT 1 FROM order_db.orders LIMIT 1"), "somebody writes")
        differences = []
        for attempt in range(5):
            folder = tmp_path / str(attempt)
            folder.mkdir()
            tables = mysql.read(server.observer, PROFILE, folder)
            reader.read(server.observer, PROFILE, start, tables.position, folder)
            connection = database.new()
            table_files.load(connection, folder)
            differences.append(replay.difference(connection, PROFILE))
            assert connection.execute("SELECT count(*) > 0 FROM order_changes").fetchall() == [(True,)]
    finally:
        ended.set()
        writer.join()
    if server.server.kind == "MariaDB":  # its snapshot has an exact position
        assert differences == [None] * 5


def test_a_change_that_is_missing_is_found(server: DatabaseServer, tmp_path: Path) -> None:
    server.run("DELETE FROM order_db.orders")
    start = server.position()
    server.run("INSERT INTO order_db.orders (id, customer_id, amount, state) VALUES (5, 1, 1.00, 'PENDING'), (6, 1, 1.00, 'PENDING')")
    server.run("SET sql_log_bin = 0", "UPDATE order_db.orders SET state = 'APPROVED' WHERE id = 6")
    tables = mysql.read(server.observer, PROFILE, tmp_path)
    reader.read(server.observer, PROFILE, start, tables.position, tmp_path)
    connection = database.new()
    table_files.load(connection, tmp_path)
    connection.execute("DELETE FROM customers; DELETE FROM reservations")
    reason = replay.difference(connection, PROFILE)
    assert reason is not None
    assert reason.startswith("order_db.orders has ")
    assert "APPROVED" in reason
    assert "PENDING" in reason


IDS = ("V1Stg", "v1stg", "pad", "pad ", "e", "é", "e\u0301", "ß", "ss", "\u00a0", "\t")


def test_ids_that_differ_in_a_trifle_are_different_also_in_tables_of_an_earlier_labkit(server: DatabaseServer, tmp_path: Path) -> None:
    loose = "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
    server.run(
        *("TRUNCATE customer_db.received_messages", "TRUNCATE customer_db.message"),
        f"ALTER TABLE customer_db.received_messages MODIFY message_id {loose}, MODIFY consumer_id {loose}",
        f"ALTER TABLE customer_db.message MODIFY id {loose}",
    )
    server.provision()
    for message_id in IDS:
        insert(server, "INSERT INTO customer_db.received_messages (consumer_id, message_id) VALUES ('s', %s)", message_id)
        insert(server, "INSERT INTO customer_db.message (id, destination, headers, payload) VALUES (%s, '', '{}', '')", message_id)
    assert {row[0] for row in server.run("SELECT message_id FROM customer_db.received_messages")} == set(IDS)
    mysql.read(server.observer, PROFILE, tmp_path)
    connection = database.new()
    table_files.load(connection, tmp_path)
    assert {row[0] for row in connection.execute("SELECT message_id FROM inbox WHERE schema_name = 'customer_db'").fetchall()} == set(IDS)
