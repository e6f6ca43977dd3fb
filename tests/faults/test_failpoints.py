"""Each named failpoint: the service ends exactly at its n-th hit, restarts disarmed, and the stack recovers without further help."""

import json
import signal
import threading
import time
from collections.abc import Callable

import pytest

from tests.e2e.shop import eventually, new_customer, new_order, post
from tests.faults.faults import Faults
from tests.running import RunningStack, wait_until

Act = Callable[[Faults], None]


def place_an_order(faults: Faults) -> None:
    new_order(faults.gateway, new_customer(faults.gateway), "1.00")


def place_an_order_that_may_get_no_answer(faults: Faults) -> None:
    def ask() -> None:
        try:
            place_an_order(faults)
        except (AssertionError, OSError):
            return  # the service ended meanwhile: outcome unknown

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()


POINTS: list[tuple[str, str, Act]] = [
    ("orders", "order.create.after_outbox_insert", place_an_order_that_may_get_no_answer),
    ("orders", "order.create.after_publish_before_commit", place_an_order_that_may_get_no_answer),
    ("orders", "order.create.after_commit_before_publish", place_an_order_that_may_get_no_answer),
    # The customer's own event may be the hit, and orders may be down before the order is posted.
    ("orders", "consumer.after_inbox_insert", place_an_order_that_may_get_no_answer),
    ("orders", "consumer.after_commit_before_ack", place_an_order_that_may_get_no_answer),
    # customers also receives the event at the end of the previous order. That event may be the hit, and customers may be down before the
    # customer is posted.
    ("customers", "consumer.after_inbox_insert", place_an_order_that_may_get_no_answer),
    ("customers", "consumer.after_commit_before_ack", place_an_order_that_may_get_no_answer),
    ("customers", "customer.reserve.between_read_and_write", place_an_order),
    ("customers", "customer.reserve.after_outbox_insert", place_an_order),
    ("order-history", "view.before_write", place_an_order),
    ("order-history", "consumer.after_commit_before_ack", place_an_order),
    ("relay", "relay.after_publish_before_mark", place_an_order),
]
IN_CI = (1, 2, 4, 5, 7, 9, 11)


def name_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def fires_and_recovers(stack: RunningStack, faults: Faults, component: str, point: str, act: Act, hit: int) -> None:
    earlier = stack.sql("select coalesce(max(id), 0) as id from order_db.orders")[0]["id"]
    crash = faults("crash", component, point, "--hit", str(hit))
    since = time.time()
    attempts = 0
    while not faults.hits(component, crash, "crash"):
        assert attempts < 40, f"{point} is not passed"
        act(faults)
        attempts += 1
        wait_for_a_hit(faults, component, crash, attempts)
    (fired,) = faults.await_hit(component, crash, "crash")
    assert (fired["hit"], fired["attempt"]) == (hit, 1)
    assert [h["hit"] for h in faults.hits(component, crash, "passed", "crash")] == list(range(1, hit + 1))
    end = faults.end(component, since)
    assert (end.exit_code, end.signal) in ((137, None), (None, signal.SIGKILL)), "137 by itself; of a container that reads as killed"
    faults.fires(crash)
    stack.labkit("up")  # restarts it; the fault is still in the armed file, but spent
    for _ in range(2):
        place_an_order(faults)
    eventually(lambda: pending(stack, earlier), 0)
    assert len(faults.hits(component, crash, "crash")) == 1
    assert len(stack.sql("select id from order_db.orders where id > %s", earlier)) >= 2
    is_consistent(stack, earlier)


def wait_for_a_hit(faults: Faults, component: str, crash: dict[str, object], attempts: int) -> None:
    """Repeats an action that passes the point at least once, until the fault has fired."""
    wait_until(lambda: len(faults.hits(component, crash, "passed", "crash")) >= attempts or faults.hits(component, crash, "crash"), "a hit")


def pending(stack: RunningStack, earlier: int) -> int:
    return int(stack.sql("select count(*) as n from order_db.orders where state = 'PENDING' and id > %s", earlier)[0]["n"])


def is_consistent(stack: RunningStack, earlier: int) -> None:
    """A later order is APPROVED exactly when its customer holds one reservation of its amount."""
    wrong = stack.sql(
        "select o.id, o.state, count(r.amount) as n from order_db.orders o left join customer_db.customer_credit_reservations r"
        " on r.credit_reservations_key = o.id and r.amount = o.amount where o.id > %s group by o.id, o.state"
        " having n <> (o.state = 'APPROVED')",
        earlier,
    )
    assert wrong == []


@pytest.mark.parametrize(
    ("component", "point", "act"), [POINTS[i] for i in IN_CI], ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_failpoint_fires_at_its_hit_and_the_stack_recovers(
    stack: RunningStack, faults: Faults, component: str, point: str, act: Act
) -> None:
    fires_and_recovers(stack, faults, component, point, act, hit=2)


@pytest.mark.soak
@pytest.mark.parametrize("hit", [1, 3])
@pytest.mark.parametrize(("component", "point", "act"), POINTS, ids=name_of)
def test_each_failpoint_at_each_hit(stack: RunningStack, faults: Faults, component: str, point: str, act: Act, hit: int) -> None:
    fires_and_recovers(stack, faults, component, point, act, hit)


def test_what_was_not_committed_is_not_there_and_what_was_is(stack: RunningStack, faults: Faults) -> None:
    """A crash before the commit leaves neither order nor message; a crash after it leaves both."""
    for point, kept in (("order.create.after_outbox_insert", 0), ("order.create.after_commit_before_publish", 1)):
        crash = faults("crash", "orders", point)
        customer = new_customer(faults.gateway)
        with pytest.raises((AssertionError, OSError)):
            post(f"{stack.url('orders')}/orders", {"customerId": customer, "orderTotal": {"amount": "1.00"}})
        (hit,) = faults.await_hit("orders", crash, "crash")
        faults.heal(crash)
        assert len(stack.sql("select id from order_db.orders where customer_id = %s", customer)) == kept
        assert len(stack.sql("select id from order_db.message where id = %s", hit["message_id"])) == kept


def test_a_message_that_comes_again_is_no_first_attempt(stack: RunningStack, faults: Faults) -> None:
    """The first message is redelivered after a restart; the second hit is the second message."""
    order = faults.order()
    faults.becomes(order, "APPROVED")
    crash = faults("crash", "customers", "consumer.after_commit_before_ack", "--hit", "3", "--type", "OrderCreated")
    first = faults.order()
    faults.becomes(first, "APPROVED")
    faults("duplicate", faults.message_of(first))
    faults.await_hit("customers", crash, "passed", 2)
    faults.becomes(faults.order(), "APPROVED")
    attempts = [(h["hit"], h["attempt"]) for h in faults.await_hit("customers", crash, "passed", 3)]  # shortly after the commit
    assert attempts == [(1, 1), (1, 2), (2, 1)]
    place_an_order(faults)
    (fired,) = faults.await_hit("customers", crash, "crash")
    assert fired["hit"] == 3


def test_every_failpoint_of_these_services_is_listed(stack: RunningStack, faults: Faults) -> None:
    listed = json.loads(stack.labkit("fault", "list", "--json").stdout)["failpoints"]
    for component, point, _ in POINTS:
        assert point in listed[component]
