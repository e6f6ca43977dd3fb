"""The application's REST API as a run calls it. Each call is recorded with its outcome, and no call is ever repeated."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from labkit.checking import contract
from labkit.stack.model import Stack

TIMEOUT_S = 10.0  # without receiving a byte
ENDLESS_S = 40.0  # the limit for an answer that never ends
OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"


@dataclass(frozen=True)
class Customer:
    id: int
    name: str
    limit: Decimal


@dataclass(frozen=True)
class PlacedOrder:
    """An order that was placed. `id` is None if the outcome is unknown. The order may then exist; its customer and total, which are
    unique in a run, identify it."""

    id: int | None
    customer_id: int
    total: Decimal


class Order(PlacedOrder):
    """An order that was accepted."""

    id: int


class Shop:
    """A client of the REST API. `requests` are the calls so far, as rows of the evidence."""

    def __init__(self, stack: Stack) -> None:
        import httpx

        self._stack = stack
        self.requests: list[dict[str, Any]] = []
        self._totals: set[tuple[int, Decimal]] = set()
        # no TLS is needed, and loading its certificates takes 0.1 s
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, verify=False, limits=httpx.Limits(max_connections=100))

    async def close(self) -> None:
        await self._http.aclose()

    async def create_customer(self, name: str, limit: str) -> Customer | None:
        """Create a customer. Return None if it is unknown whether the customer exists."""
        wanted = {"name": name, "creditLimit": {"amount": limit}}
        row, answer = await self.call("create_customer", "POST", "/customers", wanted, customer_name=name, credit_limit=Decimal(limit))
        if answer is None:
            return None
        row["customer_id"] = answer["customerId"]
        return Customer(answer["customerId"], name, Decimal(limit))

    async def place_order(self, customer: int | Customer, total: str, *, alike: bool = False) -> PlacedOrder:
        """Place an order. `alike`: the customer may already have an order with the same total; the outcome must then become known."""
        customer_id = customer.id if isinstance(customer, Customer) else customer
        amount = Decimal(total)
        assert alike or (customer_id, amount) not in self._totals, f"a second order of customer {customer_id} over {amount}"
        self._totals.add((customer_id, amount))
        body = {"customerId": customer_id, "orderTotal": {"amount": total}}
        row, answer = await self.call("create_order", "POST", "/orders", body, customer_id=customer_id, total=amount)
        if answer is None:
            return PlacedOrder(None, customer_id, amount)
        row["order_id"] = answer["orderId"]
        return PlacedOrder(answer["orderId"], customer_id, amount)

    async def cancel_order(self, order_id: int) -> str:
        """Cancel an order. Return the outcome: ok, refused or unknown."""
        row, _ = await self.call("cancel_order", "POST", f"/orders/{order_id}/cancel", None, order_id=order_id)
        return str(row["outcome"])

    async def order_state(self, order_id: int) -> str | None:
        """Return the order's state as GET /orders/{id} reports it, or None if there is no answer."""
        _, answer = await self.call("read_order", "GET", f"/orders/{order_id}", None, order_id=order_id)
        return str(answer["orderState"]) if answer else None

    def request(self, operation: str, **about: object) -> dict[str, Any]:
        """Return the last recorded call of an operation that matches `about`."""
        return next(row for row in reversed(self.requests) if row["operation"] == operation and about.items() <= row.items())

    async def call(self, operation: str, method: str, path: str, body: object, **about: Any) -> tuple[dict[str, Any], Any]:
        """Make a call. Return its recorded row and, for status 2xx, the JSON of the answer with amounts as Decimal. Raises Failed if the
        answer breaks the contract; what the service did is then unknown."""
        import httpx

        text = None if body is None else json.dumps(body)
        row: dict[str, Any] = {"id": len(self.requests) + 1, "operation": operation, "method": method, "path": path, "body": text, **about}
        row |= {"status": None, "outcome": UNKNOWN, "answer": None, "started": _now(), "ended": None}
        self.requests.append(row)
        headers = {} if text is None else {"content-type": "application/json"}
        try:
            async with asyncio.timeout(ENDLESS_S):
                answer = await self._http.request(method, self._stack.url("gateway") + path, content=text, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            row |= {"answer": f"{type(error).__name__}: {error}", "ended": _now()}
            return row, None
        status = answer.status_code
        outcome = OK if 200 <= status < 300 else REFUSED if 400 <= status < 500 else UNKNOWN
        row |= {"status": status, "answer": answer.content.decode(errors="replace"), "ended": _now()}
        found = contract.read(method, path, answer.headers, answer.content) if outcome == OK else None
        row["outcome"] = outcome
        return row, found


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None)
