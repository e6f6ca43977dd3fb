"""One history for each possible fault, for the golden transcripts and the documentation."""

from collections.abc import Callable

from labkit.evidence import database
from tests.invariants.history import CUSTOMERS, NOON, ORCHESTRATION, ORDERS, TOPICS, History
from tests.invariants.judged import shop

STORIES: dict[str, Callable[[], History]] = {}


def story(name: str) -> Callable[[Callable[[], History]], Callable[[], History]]:
    def register(tell: Callable[[], History]) -> Callable[[], History]:
        STORIES[name] = tell
        return tell

    return register


@story("I1")
def over_the_limit_for_a_while() -> History:
    history = shop()
    history.saga(17, 4, "10.00")
    history.saga(18, 4, "10.00")
    history.cancel(18)
    history.release(18)
    return history


@story("I2")
def cancelled_and_still_reserved() -> History:
    history = shop()
    history.saga(9, 4, "12.34")
    history.cancel(9)
    history.release(9, held=False)
    return history


@story("I3")
def nobody_heard_of_the_order() -> History:
    history = shop()
    history.order(17, 4, "12.34", published=False)
    return history


@story("I4")
def marked_before_it_was_acknowledged() -> History:
    history = shop()
    history.saga(17, 4, "12.34")
    history.con.execute("delete from records where event = 'OrderApproved'")
    return history


@story("I5")
def two_partitions_for_one_order() -> History:
    history = shop()
    history.order(17, 4, "12.34")
    history.reserve(17)
    with history.commit():
        history.receive(ORDERS, "CustomerCreditReserved", 17)
        history.state(17, "APPROVED")
        history.publish("OrderApproved", order_id=17, partition_no=1, key="7f3a")
    history.see_order(17, "APPROVED")
    return history


@story("I6")
def looked_at_twice() -> History:
    history = shop()
    history.saga(17, 4, "12.34")
    history.repeat("OrderCreated", 17)
    history.refuse(17, inbox=False)
    return history


@story("I7")
def the_view_went_backwards() -> History:
    history = shop()
    history.saga(17, 4, "12.34")
    history.see_order(17, "PENDING")
    for partition in range(4):
        history.add("view_positions", subscriber="customerHistoryServiceEvents", topic=TOPICS["Order"], partition_no=partition, position=99)
    return history


@story("I8")
def approved_after_it_was_cancelled() -> History:
    history = shop()
    history.order(17, 4, "12.34")
    history.cancel(17)
    history.release(17, held=False)
    history.reserve(17)
    history.approve(17)
    return history


@story("I9")
def a_saga_that_did_not_compensate() -> History:
    history = shop(ORCHESTRATION)
    history.order(17, 4, "123.40")
    history.refuse(17)
    history.reject(17, compensating=False)
    return history


@story("I10")
def told_of_and_rolled_back() -> History:
    history = shop()
    history.record("0000019d47ef7a33-0242ac1200050000", event="OrderCreated", order_id=17, customer_id=4, aggregate_id=17, key="17")
    return history


@story("I11")
def refused_though_the_credit_is_there() -> History:
    history = shop()
    history.rejected(17, 4, "12.34")
    return history


@story("I12")
def approved_once_and_told_twice() -> History:
    history = shop()
    history.order(17, 4, "12.34")
    history.reserve(17)
    with history.commit():
        history.receive(ORDERS, "CustomerCreditReserved", 17)
        history.state(17, "APPROVED")
        history.publish("OrderApproved", order_id=17)
        history.publish("OrderApproved", order_id=17)
    history.see_order(17, "APPROVED")
    return history


@story("I13")
def refused_and_told_to_another_customer() -> History:
    history = shop()
    history.rejected(17, 4, "99.00")
    history.con.execute("update outbox set customer_id = 17 where event = 'OrderRejected'")
    return history


@story("parked")
def a_message_was_given_up() -> History:
    history = shop()
    history.order(17, 4, "12.34")
    cause = (
        'Traceback (most recent call last):\n  File "services/customers/handlers.py", line 28, in reserve_credit\n'
        "    left = customer.available_credit - order.amount\nAttributeError: 'OrderCreated' object has no attribute 'amount'"
    )
    history.park(CUSTOMERS, "OrderCreated", 17, cause)
    return history


@story("ended")
def a_service_ended_by_itself() -> History:
    history = shop()
    history.add("environment", component="orders", event="end", happened=NOON, source="supervisor", exit_code=1)
    where = '  File "services/orders/handlers.py", line 27, in approve\n    raise SystemExit(1)\n'
    text = f"Traceback (most recent call last):\n{where}SystemExit: 1"
    history.add("last_words", component="orders", said=NOON, message_id="0000019d47ef7a20-0242ac1200050000", text=text)
    return history


@story("stuck")
def a_handler_that_never_returns() -> History:
    history = shop()
    history.order(17, 4, "12.34")
    history.reserve(17)
    database.set_fact(history.con, "stillness", "stuck")
    history.add("samples", sample=1)
    history.add(
        "outstanding",
        sample=1,
        condition="lag",
        subject=ORDERS,
        detail="customerServiceEvents stands at offset 1 of Customer, partition 2, 1 behind",
    )
    return history


@story("repeating")
def a_relay_that_never_marks() -> History:
    history = shop()
    history.order(17, 4, "12.34")
    for _ in range(311):
        history.repeat("OrderCreated", 17)
    history.con.execute("update outbox set published = false where event = 'OrderCreated'")
    database.set_fact(history.con, "stillness", "repeating")
    history.add("samples", sample=1)
    waits = "1 message waits in the outbox of order_db to be published by the relay"
    history.add("outstanding", sample=1, condition="outbox", subject="order_db", detail=waits)
    return history


@story("killed")
def kafka_was_killed() -> History:
    history = shop()
    history.order(17, 4, "12.34")
    history.add("environment", component="kafka", event="end", happened=NOON, source="supervisor", exit_code=137)
    database.set_fact(history.con, "stillness", "unread")
    database.set_fact(history.con, "stillness_detail", "kafka does not answer: connection refused")
    history.con.execute("delete from completeness where source in ('records', 'moment')")
    database.set_complete(history.con, "records", "kafka does not answer: connection refused", "kafka")
    database.set_complete(history.con, "moment", "kafka does not answer: connection refused", "kafka")
    return history
