"""The business rules, computed independently of the system: the outcome of each order, and the expected order history.

    books = Books()
    books.open(ada)                 # she may spend 15.00
    books.decide(order)             # APPROVED, with 12.34 reserved
    books.cancel(order)             # CANCELLED, with nothing reserved any more

Orders are decided in the sequence in which they are given. The sequence of orders placed at the same time is unknown.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from labkit.checking.documents import Exactly
from labkit.checking.shop import Customer, PlacedOrder


@dataclass(frozen=True)
class OrderOutcome:
    """How an order ends."""

    state: str
    reason: str | None = None

    def __str__(self) -> str:
        return f"{self.state} {self.reason}" if self.reason else self.state


PENDING = OrderOutcome("PENDING")
APPROVED = OrderOutcome("APPROVED")
CANCELLED = OrderOutcome("CANCELLED")
INSUFFICIENT_CREDIT = OrderOutcome("REJECTED", "INSUFFICIENT_CREDIT")
UNKNOWN_CUSTOMER = OrderOutcome("REJECTED", "UNKNOWN_CUSTOMER")


@dataclass
class _Account:
    customer: Customer | None
    orders: dict[int, tuple[Decimal, OrderOutcome]] = field(default_factory=dict)

    @property
    def reserved(self) -> Decimal:
        return sum((total for total, outcome in self.orders.values() if outcome == APPROVED), Decimal(0))


class Books:
    def __init__(self) -> None:
        self._accounts: dict[int, _Account] = {}

    def open(self, customer: Customer) -> None:
        self._accounts[customer.id] = _Account(customer)

    def knows(self, customer_id: int) -> bool:
        """Return whether there is anything to know: the customer was created, or has placed an order."""
        return customer_id in self._accounts

    def available(self, customer: Customer) -> Decimal:
        """Return how much the customer may still spend."""
        return customer.limit - self._accounts[customer.id].reserved

    def decide(self, order: PlacedOrder) -> OrderOutcome:
        """Decide an order: it is approved if its total is at most the available credit."""
        assert order.id is not None
        account = self._accounts.setdefault(order.customer_id, _Account(None))
        if account.customer is None:
            outcome = UNKNOWN_CUSTOMER
        else:
            outcome = APPROVED if order.total <= self.available(account.customer) else INSUFFICIENT_CREDIT
        account.orders[order.id] = order.total, outcome
        return outcome

    def cancel(self, order: PlacedOrder) -> OrderOutcome:
        """Cancel an order: only an approved order can be cancelled, and its credit becomes available again."""
        assert order.id is not None
        account = self._accounts[order.customer_id]
        assert account.orders[order.id][1] == APPROVED, f"order {order.id} is not approved"
        account.orders[order.id] = order.total, CANCELLED
        return CANCELLED

    def outcome(self, order: PlacedOrder) -> OrderOutcome:
        assert order.id is not None
        return self._accounts[order.customer_id].orders[order.id][1]

    def document(self, customer_id: int) -> dict[str, Any]:
        """Return the expected answer of GET /customers/{id}/orderhistory, with amounts as Decimal."""
        account = self._accounts[customer_id]
        orders = Exactly(
            (str(order_id), {"orderId": order_id, "state": outcome.state, "orderTotal": {"amount": total}})
            for order_id, (total, outcome) in account.orders.items()
        )
        return {
            "id": customer_id,
            "orders": orders,
            "name": account.customer.name if account.customer else None,
            "creditLimit": {"amount": account.customer.limit} if account.customer else None,
            "orderCount": len(orders),
            "totalApproved": {"amount": account.reserved},
        }
