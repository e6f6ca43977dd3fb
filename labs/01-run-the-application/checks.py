"""Lab 1: the stack is up, the saga has its three outcomes, the stores agree, and the view follows."""

import random
from functools import cached_property

from labkit.lab.application import CUSTOMER_CHANNEL, ORDER_CHANNEL, Application, Customer, Order
from labkit.lab.chain import first_missing_hop
from labkit.lab.check import Failed, check
from labkit.lab.judge import disagreements, expected_view, own_message_ids, published, view_differences


class Lab:
    """One customer who may spend 15.00, and three orders: within the limit, beyond it, and of nobody."""

    def __init__(self, app: Application, seed: int) -> None:
        self.app = app
        self._random = random.Random(seed)

    @cached_property
    def ada(self) -> Customer:
        return self.app.customer("Ada", "15.00")

    @cached_property
    def within(self) -> Order:
        return self.app.order(self.ada.id, "12.34")

    @cached_property
    def beyond(self) -> Order:
        return self.app.order(self.ada.id, "123.40")

    @cached_property
    def of_nobody(self) -> Order:
        return self.app.order(self._random.randrange(9 * 10**18, 2**63), "12.34")

    def settle(self) -> list[Order]:
        """All orders, each as settled as it gets."""
        for order in (self.within, self.beyond, self.of_nobody):
            self.app.settled(order)
        return [self.within, self.beyond, self.of_nobody]

    def must_become(self, order: Order, state: str, reason: str | None, who: str) -> None:
        found_state, found_reason = self.app.settled(order)
        if (found_state, found_reason) == (state, reason):
            return
        expected = f"{state} {reason}" if reason else state
        if found_state == "PENDING":
            missing = first_missing_hop(self.app, order)
            raise Failed(f"{who} is still PENDING.", expected=expected, found=missing.found, next_step=missing.next_step)
        if found_state == state and found_reason is None:
            raise Failed(
                f"{who} is {state}, but its reason is empty.",
                expected=expected,
                found=f"{state} without a reason",
                next_step="is the reason stored when orders rejects an order?",
            )
        found = f"{found_state} {found_reason}" if found_reason else str(found_state)
        raise Failed(f"{who} is {found}.", expected=expected, found=found, next_step="which answer of customers leads to which state?")


@check("1.1", "Every component is up and ready", gate=True)
def everything_is_up(lab: Lab) -> None:
    for name, state, how_it_ended in lab.app.not_ready():
        raise Failed(
            f"{name} is not running." if how_it_ended else f"{name} is {state}.",
            expected="running and ready",
            found=how_it_ended or state,
            next_step="labkit up" if how_it_ended else f"labkit logs {name}",
        )


@check("1.2", "An order within the credit limit is approved")
def within_the_limit(lab: Lab) -> None:
    order = lab.within
    lab.must_become(order, "APPROVED", None, f'Order {order.id} (12.34) of customer {lab.ada.id} "Ada", who may spend 15.00,')


@check("1.3", "An order beyond the credit limit is rejected, with the reason")
def beyond_the_limit(lab: Lab) -> None:
    order = lab.beyond
    who = f'Order {order.id} (123.40) of customer {lab.ada.id} "Ada", who may spend 15.00,'
    lab.must_become(order, "REJECTED", "INSUFFICIENT_CREDIT", who)


@check("1.4", "An order of an unknown customer is rejected, with the reason")
def of_an_unknown_customer(lab: Lab) -> None:
    order = lab.of_nobody
    lab.must_become(order, "REJECTED", "UNKNOWN_CUSTOMER", f"Order {order.id} of customer {order.customer_id}, whom nobody knows,")


@check("1.5", "Orders, reservations and messages agree")
def stores_agree(lab: Lab) -> None:
    app, orders = lab.app, lab.settle()
    for sentence, expected, found in disagreements(app, lab.ada, orders):
        raise Failed(
            sentence, expected=expected, found=found, next_step="compare order_db.orders with customer_db.customer_credit_reservations"
        )
    own = app.until(lambda: own_message_ids(app, lab.ada, orders), lambda ids: published(app, ids), 10.0)
    on_broker = app.message_ids_on(ORDER_CHANNEL) | app.message_ids_on(CUSTOMER_CHANNEL)
    if missing := sorted(own - on_broker):
        raise Failed(
            f"{len(missing)} of {len(own)} messages of these orders never reached Kafka, the first is {missing[0]}.",
            expected="every row of an outbox is on its topic",
            found=f"{len(own) - len(missing)} of {len(own)} are",
            next_step="labkit logs relay",
        )


@check("1.6", "The order history shows what the services hold")
def view_follows(lab: Lab) -> None:
    app = lab.app
    lab.settle()
    for customer_id in (lab.ada.id, lab.of_nobody.customer_id):
        expected = expected_view(app, customer_id)
        view = app.until(lambda c=customer_id: app.view(c), lambda seen, e=expected: not view_differences(e, seen), 10.0)  # type: ignore[misc]
        for field, wanted, found in view_differences(expected, view):
            raise Failed(
                f"The order history of customer {customer_id} has a wrong {field}.",
                expected=f"{field} = {wanted}",
                found=f"{field} = {found}" if found is not None else f"no {field}",
                next_step="which event writes this field? see services/order_history/view.py",
            )


def prepare(app: Application, seed: int) -> Lab:
    """What the checks of this lab are given."""
    return Lab(app, seed)
