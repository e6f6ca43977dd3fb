"""Each invariant on the running stack: a violation written directly into a store is found, with its own sentence."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from confluent_kafka import Producer

from labkit.evidence import database
from labkit.invariants import discovery
from labkit.verdict.judge import RuleOutcome, judge
from tests.e2e.shop import ORDER_CHANNEL, eventually, new_customer, new_order, post, settled, state_in_view
from tests.running import RunningStack

PACKAGE = ORDER_CHANNEL.rpartition(".")[0]


class Shop:
    """Ada, who may spend 15.00, her approved order, and their stack."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self.gateway = stack.url("gateway")
        self.ada = new_customer(self.gateway, "15.00")
        self.order = new_order(self.gateway, self.ada, "12.34")
        assert settled(self.gateway, self.order) == ("APPROVED", None)
        eventually(lambda: state_in_view(stack.redis, self.ada, self.order), "APPROVED")  # so the view overwrites nothing later

    def sql(self, statement: str, *values: object) -> list[dict[str, Any]]:
        return self.stack.sql(statement, *values)

    def produce(
        self, message_id: str, event: str, order: int, *, key: str | None = None, partition: int = -1, customer: int | None = None
    ) -> None:
        headers = {
            "ID": message_id,
            "PARTITION_ID": str(order),
            "DESTINATION": ORDER_CHANNEL,
            "event-type": f"{PACKAGE}.{event}Event",
            "event-aggregate-type": ORDER_CHANNEL,
            "event-aggregate-id": str(order),
        }
        payload = json.dumps({"orderDetails": {"customerId": customer or self.ada, "orderTotal": {"amount": 1.00}}})
        producer = Producer(self.stack.kafka_client)
        producer.produce(
            ORDER_CHANNEL, key=key or str(order), value=json.dumps({"payload": payload, "headers": headers}), partition=partition
        )
        assert producer.flush(30) == 0


def verified(stack: RunningStack, *options: str) -> tuple[int, dict[str, Any]]:
    """Returns the exit code and the JSON."""
    done = judged_undisturbed(stack, *options)
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def judged_undisturbed(stack: RunningStack, *options: str) -> "subprocess.CompletedProcess[str]":
    """The verdict of a labkit that did not lose the processor for a second meanwhile, which would excuse missing work."""
    return eventually(
        lambda: stack.labkit("verify", "--json", *options, ok=False), lambda done: "labkit stalled" not in done.stdout, within_s=120
    )


def by_id(judged: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {invariant["id"]: invariant for invariant in judged["invariants"]}


@pytest.fixture(scope="module", autouse=True)
def left_clean(shared_stack: RunningStack) -> Iterator[None]:
    yield
    shared_stack.labkit("reset", "--yes")


@pytest.fixture
def shop(stack: RunningStack) -> Shop:
    stack.labkit("reset", "--yes")
    return Shop(RunningStack(stack.labkit))


def over_the_limit(shop: Shop) -> str:
    shop.sql("insert into customer_db.customer_credit_reservations values (%s, 999999, 10.00)", shop.ada)
    shop.sql("delete from customer_db.customer_credit_reservations where credit_reservations_key = 999999")
    return f'Customer {shop.ada} "Ada" may spend 15.00, and 22.34 was reserved at once'


def released(shop: Shop) -> str:
    shop.sql("delete from customer_db.customer_credit_reservations where customer_id = %s", shop.ada)
    return f'Order {shop.order} (12.34) of customer {shop.ada} "Ada" is APPROVED, but no credit is reserved for it.'


def of_nobody_in_particular(shop: Shop) -> str:
    shop.sql("insert into order_db.orders (customer_id, amount, state, version) values (%s, 1.00, 'PENDING', 0)", shop.ada)
    return f"(1.00) of customer {shop.ada} "


def never_relayed(shop: Shop) -> str:
    shop.sql(
        "insert into order_db.message (id, destination, headers, payload, published) values ('planted', %s, %s, '{}', 1)",
        ORDER_CHANNEL,
        json.dumps(
            {
                "ID": "planted",
                "event-type": f"{PACKAGE}.OrderApprovedEvent",
                "event-aggregate-type": ORDER_CHANNEL,
                "event-aggregate-id": str(shop.order),
                "PARTITION_ID": str(shop.order),
            }
        ),
    )
    return f"OrderApproved of order {shop.order} (12.34) is in the outbox of orders, but Kafka never received it."


def two_partitions(shop: Shop) -> str:
    """A row whose key differs from its aggregate's."""
    messages = []
    for key in range(100, 108):  # some of these keys belong to another partition
        message_id = f"{int(time.time() * 1000):016x}-{key:016x}"
        headers = {
            "ID": message_id,
            "PARTITION_ID": str(key),
            "event-type": f"{PACKAGE}.OrderRevisedEvent",
            "event-aggregate-type": ORDER_CHANNEL,
            "event-aggregate-id": str(shop.order),
        }
        messages.append(message_id)
        insert = "insert into order_db.message (id, destination, headers, payload, published) values (%s, %s, %s, '{}', 0)"
        shop.sql(insert, message_id, ORDER_CHANNEL, json.dumps(headers))
    return f"The messages of order {shop.order} (12.34) are in two partitions of Order"


def effect_without_inbox(shop: Shop) -> str:
    shop.sql("update order_db.orders set state = 'PENDING' where id = %s", shop.order)
    shop.sql("update order_db.orders set state = 'APPROVED' where id = %s", shop.order)
    return "but had its effect 2 times"


def wrong_view(shop: Shop) -> str:
    shop.stack.redis.hset(f"customerview:{shop.ada}", f"order:{shop.order}:state", "PENDING")
    return f'The order history of customer {shop.ada} "Ada" shows order {shop.order} (12.34) as PENDING; it is APPROVED.'


def back_to_pending(shop: Shop) -> str:
    shop.sql("update order_db.orders set state = 'PENDING' where id = %s", shop.order)
    shop.sql("update order_db.orders set state = 'APPROVED' where id = %s", shop.order)
    return "went from APPROVED to PENDING, which is not a legal transition."


def of_no_order(shop: Shop) -> str:
    shop.produce("0000000000000001-0000000000000001", "OrderApproved", 888888)
    return "OrderApproved is about order 888888"


def refused_without_reason(shop: Shop) -> str:
    shop.sql("insert into order_db.orders (id, customer_id, amount, state, version) values (777777, %s, 1.00, 'PENDING', 0)", shop.ada)
    shop.sql("update order_db.orders set state = 'REJECTED', rejection_reason = 0 where id = 777777")
    return "Order 777777 (1.00)"


def told_again(shop: Shop) -> str:
    (row,) = shop.sql(
        "select max(id) as id from order_db.message where json_value(headers, '$.\"event-type\"') = %s"
        " and json_value(headers, '$.\"event-aggregate-id\"') = %s",
        f"{PACKAGE}.OrderApprovedEvent",
        str(shop.order),
    )
    shop.sql(
        "insert into order_db.message (id, destination, headers, payload, published) "
        "select concat(left(id, 30), '777'), destination, headers, payload, 1 from order_db.message where id = %s",
        row["id"],
    )
    return f"OrderApproved of order {shop.order} (12.34) was published again, in a transaction without such a change"


def under_another_name(shop: Shop) -> str:
    shop.sql(
        "update order_db.message set payload = replace(payload, %s, %s) where json_value(headers, '$.\"event-type\"') = %s"
        " and json_value(headers, '$.\"event-aggregate-id\"') = %s",
        f'"customerId":{shop.ada}',
        '"customerId":999999',
        f"{PACKAGE}.OrderApprovedEvent",
        str(shop.order),
    )
    return f"OrderApproved of order {shop.order} names customer 999999, but the order is of customer {shop.ada}."


PLANTED: dict[str, Callable[[Shop], str]] = {
    "I1": over_the_limit,
    "I2": released,
    "I3": of_nobody_in_particular,
    "I4": never_relayed,
    "I5": two_partitions,
    "I6": effect_without_inbox,
    "I7": wrong_view,
    "I8": back_to_pending,
    "I10": of_no_order,
    "I11": refused_without_reason,
    "I12": told_again,
    "I13": under_another_name,
}


def test_violations_that_were_written_into_the_stores_are_found_side_by_side(shop: Shop) -> None:
    """Each violation has its own customer and order. (`make soak` runs each one separately.)"""
    shops = {invariant_id: Shop(shop.stack) for invariant_id in PLANTED}
    others = [invariant_id for invariant_id in PLANTED if invariant_id != "I7"]
    for group in (["I7"], others):  # an order that no service made is missing from the view too
        sentences = {invariant_id: PLANTED[invariant_id](shops[invariant_id]) for invariant_id in group}
        code, judged = verified(shop.stack)
        assert (code, judged["verdict"]) == (1, "fail"), judged
        for invariant_id, sentence in sentences.items():
            is_found(judged, invariant_id, sentence)


@pytest.mark.soak
@pytest.mark.parametrize("invariant_id", PLANTED)
def test_a_violation_that_was_written_into_the_store_is_found(shop: Shop, invariant_id: str) -> None:
    sentence = PLANTED[invariant_id](shop)
    code, judged = verified(shop.stack)
    assert (code, judged["verdict"]) == (1, "fail"), judged
    is_found(judged, invariant_id, sentence)


def is_found(judged: dict[str, Any], invariant_id: str, sentence: str) -> None:
    found = by_id(judged)[invariant_id]
    assert found["outcome"] == "fail", judged
    assert sentence in found["first"]["sentence"] + found["last"]["sentence"], found


@pytest.mark.both_runtimes  # MariaDB here, MySQL there
def test_over_the_limit_for_one_commit_with_a_rotation_and_a_restart_before_it_is_put_right(shop: Shop) -> None:
    """The two orders and both commit positions are named."""
    shop.sql("insert into customer_db.customer_credit_reservations values (%s, 999999, 10.00)", shop.ada)
    shop.sql("flush binary logs")
    shop.stack.labkit("restart", "mysql")
    again = RunningStack(shop.stack.labkit)
    again.sql("delete from customer_db.customer_credit_reservations where credit_reservations_key = 999999")
    code, judged = verified(again)
    found = by_id(judged)["I1"]["first"]
    assert code == 1
    assert found["sentence"] == (
        f'Customer {shop.ada} "Ada" may spend 15.00, and 22.34 was reserved at once: 12.34 for order {shop.order} '
        "and 10.00 for order 999999, until a later commit corrected it."
    )
    files = [fact["source"].rpartition(", ")[2].partition(":")[0] for fact in found["because"] if "binlog" in fact["source"]]
    assert len(files) == 3
    assert files[1] < files[2]  # the commits are in different files


def test_a_saga_that_disagrees_with_its_order(shop: Shop, tmp_path: Path) -> None:
    saved = tmp_path / "run.duckdb"
    shop.sql(
        "create table order_db.saga_instance (saga_type varchar(255) not null, saga_id varchar(100) not null, "
        "state_name varchar(100) not null,"
        " last_request_id varchar(100), end_state int(1), compensating int(1), failed int(1), saga_data_type varchar(1000) not null,"
        " saga_data_json varchar(1000) not null, primary key (saga_type, saga_id))"
    )
    try:
        shop.sql(
            "insert into order_db.saga_instance values ('CreateOrderSaga', '1', 'x', null, 1, 1, 0, 'd', %s)",
            json.dumps({"orderId": shop.order}),
        )
        code, judged = verified(shop.stack, "--save", str(saved))
    finally:
        shop.sql("drop table order_db.saga_instance")
    assert (code, by_id(judged)["I9"]["outcome"]) == (0, "not applicable")
    with duckdb.connect(str(saved)) as evidence:
        database.set_fact(evidence, "profile", "orchestration")
        found = judge(evidence, [discovery.find("I9")]).results[0]
    assert found.outcome is RuleOutcome.FAIL
    assert found.first
    assert found.first.sentence == f"The saga 1 compensated, but order {shop.order} (12.34) is APPROVED."


def test_all_is_well_and_every_invariant_had_something_to_judge(shop: Shop) -> None:
    assert settled(shop.gateway, new_order(shop.gateway, shop.ada, "99.00"))[0] == "REJECTED"
    assert settled(shop.gateway, new_order(shop.gateway, 10**12, "1.00"))[0] == "REJECTED"
    post(f"{shop.gateway}/orders/{shop.order}/cancel")
    held = "select count(*) as n from customer_db.customer_credit_reservations where customer_id = %s"
    eventually(lambda: shop.sql(held, shop.ada)[0]["n"], 0)
    code, judged = verified(shop.stack)
    assert (code, judged["verdict"], judged["findings"]) == (0, "pass", [])
    assert {i["id"] for i in judged["invariants"] if i["outcome"] == "pass"} == {f"I{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13)}
    assert all(i["judged"] > 0 for i in judged["invariants"] if i["outcome"] == "pass")


def test_the_evidence_is_judged_elsewhere_to_the_same_bytes_and_half_of_it_is_unknown(shop: Shop, tmp_path: Any) -> None:
    released(shop)
    saved, half = tmp_path / "run.duckdb", tmp_path / "half.duckdb"
    here = judged_undisturbed(shop.stack, "--save", str(saved))
    elsewhere = type(shop.stack.labkit)(tmp_path / "another home", "default")
    there = elsewhere("verify", "--json", "--evidence", str(saved), "--html", str(tmp_path / "run.html"), ok=False)
    assert (here.returncode, there.returncode) == (1, 1)
    assert here.stdout == there.stdout
    page = (tmp_path / "run.html").read_text()
    assert "no credit is reserved for it" in page
    assert "class='write witness'" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    whole = saved.read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    done = elsewhere("verify", "--json", "--evidence", str(half), ok=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["verdict"] == "unknown"
    assert "half.duckdb" in json.loads(done.stdout)["reason"]
