"""What each page of the REST API must show of a customer and its orders, by the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labkit.checking.checks import Failed
from labkit.checking.documents import differences
from labkit.checking.evidence import Evidence
from labkit.checking.rules import OrderOutcome
from labkit.checking.shop import Customer, Order
from labkit.checking.trial import Trial

NOBODY = 2**62 - 1  # an id that no customer and no order has


@dataclass(frozen=True)
class Placed:
    """An order, and the creation time that the answer to POST had."""

    order: Order
    created: str | None


async def of_customer(trial: Trial, customer: Customer) -> None:
    """Require that the Customer service shows this customer, alone and once in the list of all."""
    expected = {"customerId": customer.id, "name": customer.name, "creditLimit": {"amount": customer.limit}}
    await _shows(trial, f"/customers/{customer.id}", expected)
    await _lists(trial, "/customers", "customers", "customerId", {customer.id: expected})


async def of_order(trial: Trial, placed: Placed) -> None:
    """Require that the Order service shows this order as the books have it."""
    await _shows(trial, f"/orders/{placed.order.id}", expected_order(placed, trial.books.outcome(placed.order)))


async def of_orders(trial: Trial, customer_id: int, placed: Sequence[Placed]) -> None:
    """Require that the lists show these orders: that of all orders once each, that of their customer these and no others."""
    expected = {one.order.id: expected_order(one, trial.books.outcome(one.order)) for one in placed}
    await _lists(trial, "/orders", "orders", "orderId", expected)
    path = f"/orders/customer/{customer_id}"
    found = await _lists(trial, path, "", "orderId", expected)
    if strange := [one["orderId"] for one in found if one["orderId"] not in expected]:
        raise Failed(
            f"GET {path} shows order {strange[0]}, which is not an order of customer {customer_id}.",
            expected=f"orders {', '.join(map(str, expected)) or 'none'}",
            found=f"orders {', '.join(str(one['orderId']) for one in found)}",
            next_step="which orders does it select? see orders_of in services/orders/store.py",
        )


async def of_view(trial: Trial, customer_id: int) -> None:
    """Require that the order history shows the customer as the books have it. It must have taken all events."""
    if not trial.books.knows(customer_id):
        await answers(trial, f"/customers/{customer_id}/orderhistory", 404, f"nothing ever happened to customer {customer_id}")
        return
    await _shows(trial, f"/customers/{customer_id}/orderhistory", trial.books.document(customer_id))


async def of_the_count(trial: Trial, evidence: Evidence) -> None:
    """Require that the order history counts the customers that it has. Somebody else may create one meanwhile: so ask twice."""
    for again in (True, False):
        ((has,),) = evidence.rows("SELECT count(*) FROM view_customers")
        status, counted = await trial.get("/customers/count")
        if (status, counted) == (200, has):
            return
        evidence = await trial.evidence() if again else evidence
    raise Failed(
        f"GET /customers/count answers {counted}, but the order history has {has} customers.",
        expected=str(has),
        found=f"{status} {counted}",
        next_step="what is counted? see count in services/order_history/store.py, and what apply_event.lua adds to the set",
    )


async def of_nobody(trial: Trial) -> None:
    """Require that what does not exist is not found, and that what is no id is refused."""
    for path in (f"/customers/{NOBODY}", f"/orders/{NOBODY}", f"/customers/{NOBODY}/orderhistory"):
        await answers(trial, path, 404, f"there is no {path.rpartition('/')[0].strip('/').rstrip('s').split('/')[0]} {NOBODY}")
    for path in ("/customers/abc", "/orders/abc", "/orders/customer/abc", "/customers/abc/orderhistory"):
        await answers(trial, path, 400, "abc is no id")
    await _lists(trial, f"/orders/customer/{NOBODY}", "", "orderId", {})


async def answers(trial: Trial, path: str, status: int, because: str) -> None:
    found, document = await _got(trial, path)
    if found != status:
        raise Failed(
            f"GET {path} answers {found}, but {because}.",
            expected=str(status),
            found=f"{found}: {document}"[:200],
            next_step="labkit guide",
        )


def expected_order(placed: Placed, outcome: OrderOutcome) -> dict[str, Any]:
    created = {} if placed.created is None else {"creationTime": placed.created}
    return {"orderId": placed.order.id, "orderState": outcome.state, "rejectionReason": outcome.reason, **created}


def _same_time(one: Any, other: Any) -> bool:
    """Return whether two texts are the same moment, in any zone."""
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (TypeError, ValueError):
        return False


async def _got(trial: Trial, path: str) -> tuple[int, Any]:
    """Return the status and the document of an answer. A service that fails on the request is explained by its log."""
    status, found = await trial.get(path)
    if status >= 500:
        await trial.attribution.no_answer(trial.shop.request("read", path=path))
    return status, found


async def _shows(trial: Trial, path: str, expected: dict[str, Any]) -> None:
    status, found = await _got(trial, path)
    if status != 200:
        raise Failed(
            f"GET {path} answers {status}, but there is one with this id.",
            expected="200",
            found=str(status),
            next_step="labkit logs gateway",
        )
    require_same(f"GET {path}", expected, found)


def require_same(who: str, expected: dict[str, Any], found: Any) -> None:
    shown = {name: found.get(name) for name in expected} if isinstance(found, dict) else found
    if isinstance(shown, dict) and "creationTime" in expected and _same_time(shown.get("creationTime"), expected.get("creationTime")):
        shown["creationTime"] = expected["creationTime"]
    for field, wanted, came in differences(expected, shown):
        raise Failed(
            f"{who} shows a wrong {field}: {came}; it should be {wanted}.",
            expected=f"{field} = {wanted}",
            found=f"{field} = {came}",
            next_step="which state does it show? Compare it with the database: labkit sql",
        )


async def _lists(trial: Trial, path: str, name: str, key: str, expected: dict[int, dict[str, Any]]) -> list[Any]:
    """Require that a list shows each of these once. Return the list."""
    status, found = await _got(trial, path)
    entries = found.get(name) if name and isinstance(found, dict) else found
    if status != 200 or not isinstance(entries, list):
        raise Failed(
            f"GET {path} answers {status} without a list.", expected="200 with a list", found=str(status), next_step="labkit logs gateway"
        )
    for an_id, wanted in expected.items():
        same = [entry for entry in entries if entry.get(key) == an_id]
        if len(same) != 1:
            often = "does not show" if not same else f"shows {len(same)} times"
            raise Failed(
                f"GET {path} {often} {key.removesuffix('Id')} {an_id}.",
                expected="once",
                found=f"{len(same)} times among {len(entries)}",
                next_step="which rows does it select? see the store.py of the service",
            )
        require_same(f"GET {path}, {key.removesuffix('Id')} {an_id},", wanted, same[0])
    return entries
