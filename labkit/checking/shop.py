"""The application's REST API as a run calls it. Each call is written down with its outcome, and none is ever made twice."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from labkit.checking import contract
from labkit.stack.model import Stack

TIMEOUT_S = 10.0  # without a byte
ENDLESS_S = 40.0  # of an answer that goes on and on
OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"


@dataclass(frozen=True)
class Customer:
    id: int
    name: str
    limit: Decimal


@dataclass(frozen=True)
class PlacedOrder:
    """`id` is None when its outcome is unknown: then it may exist, and is known by its customer and total, which are unique in a run."""

    id: int | None
    customer_id: int
    total: Decimal


class Order(PlacedOrder):
    """An order that was accepted."""

    id: int


class Shop:
    """`requests` are the calls so far, as rows of the evidence."""

    def __init__(self, stack: Stack) -> None:
        import httpx

        self._stack = stack
        self.requests: list[dict[str, Any]] = []
        self._totals: set[tuple[int, Decimal]] = set()
        # nothing here speaks TLS, and to load what it would need takes 0.1 s
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, verify=False, limits=httpx.Limits(max_connections=100))

    async def close(self) -> None:
        await self._http.aclose()

    async def create_customer(self, name: str, limit: str) -> Customer | None:
        """None when it is not known whether there is one now."""
        wanted = {"name": name, "creditLimit": {"amount": limit}}
        row, answer = await self.call("create_customer", "POST", "/customers", wanted, customer_name=name, credit_limit=Decimal(limit))
        if answer is None:
            return None
        row["customer_id"] = answer["customerId"]
        return Customer(answer["customerId"], name, Decimal(limit))

    async def place_order(self, customer: int | Customer, total: str, *, alike: bool = False) -> PlacedOrder:
        """`alike`: there may be another one of this customer over this total; then its outcome must become known."""
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
        """The outcome: ok, refused or unknown."""
        row, _ = await self.call("cancel_order", "POST", f"/orders/{order_id}/cancel", None, order_id=order_id)
        return str(row["outcome"])

    async def order_state(self, order_id: int) -> str | None:
        """As GET /orders/{id} tells it; None when nobody answers."""
        _, answer = await self.call("read_order", "GET", f"/orders/{order_id}", None, order_id=order_id)
        return str(answer["orderState"]) if answer else None

    def request(self, operation: str, **about: object) -> dict[str, Any]:
        """The last call of this kind about something, as it was written down."""
        return next(row for row in reversed(self.requests) if row["operation"] == operation and about.items() <= row.items())

    async def call(self, operation: str, method: str, path: str, body: object, **about: Any) -> tuple[dict[str, Any], Any]:
        """The row that was written down, and the JSON of an answer with 2xx, amounts as Decimal. Raises Failed when that is not what the
        contract says: then it is not known what was done."""
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
