"""labkit sql, events and topics, called as a person would."""

import json
import signal

from labkit.brokers.kafka import library
from labkit.evidence import database
from labkit.stack.model import Stack
from tests.e2e.shop import CUSTOMER_CHANNEL, ORDER_CHANNEL, eventually, new_customer, new_order, settled, state_in_view
from tests.running import PROFILE, RunningStack


def placed(shop: RunningStack) -> tuple[int, int]:
    """(customer, order): the saga has ended, and all services know it."""
    customer = new_customer(shop.url("customers"))
    order = new_order(shop.url("orders"), customer, "12.34")
    eventually(lambda: state_in_view(shop.redis, customer, order), "APPROVED")
    return customer, order


def test_one_query_asks_all_stores(running_shop: RunningStack, described: Stack) -> None:
    customer, order = placed(running_shop)
    query = f"""SELECT o.state, o.total, v.state AS in_view, r.partition_no, c.op
        FROM orders o JOIN view_orders v ON v.order_id = o.id JOIN records r ON r.order_id = o.id JOIN order_changes c ON c.after_id = o.id
        WHERE o.id = {order} AND r.event = 'OrderCreated' AND c.after_state = 'APPROVED'"""
    rows = json.loads(running_shop.labkit("sql", "--json", query).stdout)
    assert [(row["state"], row["total"], row["op"]) for row in rows] == [("APPROVED", "12.34", "update")]
    shown = running_shop.labkit("sql", f"SELECT id, total FROM orders WHERE customer_id = {customer}").stdout
    assert [line.split() for line in shown.splitlines()[-2:]] == [[str(order), "12.34"], ["1", "row"]]
    assert running_shop.labkit("sql", "--csv", "SELECT NULL AS a, 'x,y' AS b").stdout == 'a,b\n,"x,y"\n'


def test_a_wrong_query_is_the_users_mistake(running_shop: RunningStack, described: Stack) -> None:
    done = running_shop.labkit("sql", "SELECT * FROM nowhere", ok=False)
    assert (done.returncode, "nowhere" in done.stderr, "Traceback" in done.stderr) == (254, True, False)
    assert "Next: labkit sql --schema" in done.stderr


def test_a_store_that_is_down_is_told_beside_the_answer(running_shop: RunningStack, described: Stack) -> None:
    _, order = placed(running_shop)
    pid = running_shop.pid("redis")
    running_shop.signal(pid, signal.SIGKILL)
    running_shop.wait_ended(pid)
    done = running_shop.labkit(
        "sql", "--json", f"SELECT o.id, v.state FROM orders o LEFT JOIN view_orders v ON v.order_id = o.id WHERE o.id = {order}"
    )
    assert json.loads(done.stdout) == [{"id": order, "state": None}]
    assert "redis could not be read" in done.stderr


def test_the_schema_tells_every_column(running_shop: RunningStack) -> None:
    shown = running_shop.labkit("sql", "--schema").stdout
    connection = database.new()
    columns = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables() USING (table_name) WHERE NOT duckdb_columns.internal"
    ).fetchall()
    told = {(table.name, column.name): column.meaning for table in database.tables(PROFILE) for column in table.columns}
    assert set(columns) == set(told)
    assert all(told.values())
    for table in database.tables(PROFILE):
        assert f"{table.name} ({table.kind}): {table.meaning}" in shown
        assert table.meaning


def test_events_as_they_came(running_shop: RunningStack, at_rest: None) -> None:
    _, order = placed(running_shop)
    lines = [json.loads(line) for line in running_shop.labkit("events", "--json").stdout.splitlines()]
    mine = [line["event"] for line in lines if line["topic"] == ORDER_CHANNEL and line["aggregate_id"] == order]
    assert mine == ["OrderCreated", "OrderApproved"]
    assert f"OrderApproved {order}" in running_shop.labkit("events", "-n", "5").stdout


def test_events_that_nobody_has_taken_yet(running_shop: RunningStack, described: Stack) -> None:
    customer, _ = placed(running_shop)
    pid = running_shop.pid("customers")
    running_shop.signal(pid, signal.SIGSTOP)
    try:
        order = new_order(running_shop.url("orders"), customer, "1.00")

        def waiting() -> list[str]:
            lines = [json.loads(line) for line in running_shop.labkit("events", "--unhandled", "--json").stdout.splitlines()]
            return [group for line in lines if line["aggregate_id"] == order for group in line["waiting_for"]]

        eventually(waiting, lambda groups: "OrderEventConsumer" in groups)
    finally:
        running_shop.signal(pid, signal.SIGCONT)
    settled(running_shop.url("orders"), order)


def test_topics_and_their_keys(running_shop: RunningStack, described: Stack) -> None:
    customer, order = placed(running_shop)
    partitions = json.loads(running_shop.labkit("topics", "--json").stdout)
    assert {row["topic"] for row in partitions} >= {ORDER_CHANNEL, CUSTOMER_CHANNEL}
    assert {group["group"] for row in partitions if row["topic"] == ORDER_CHANNEL for group in row["groups"]} >= {"OrderEventConsumer"}
    keys = json.loads(running_shop.labkit("topics", "--by-key", "--json").stdout)
    (mine,) = [row for row in keys if row["topic"] == "Order" and row["key"] == str(order)]
    assert (mine["records"], mine["events"], len(mine["partitions"])) == (2, ["OrderApproved", "OrderCreated"], 1)
    assert any(row["topic"] == "Customer" and row["key"] == str(customer) for row in keys)


def test_a_key_in_two_partitions_is_shown(running_shop: RunningStack, described: Stack) -> None:
    from confluent_kafka import Producer

    producer = Producer(library.settings(described.broker))
    for partition in (0, 1):
        producer.produce(CUSTOMER_CHANNEL, key="astray", value="no message", partition=partition)
    producer.flush()
    shown = running_shop.labkit("topics", "--by-key").stdout
    assert "PARTITIONS 0, 1" in shown
    assert "their events have no order among each other" in shown
    running_shop.labkit("reset", "--yes")
