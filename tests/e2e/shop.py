"""The application as the tests use it: REST through a small client, the stores through plain SQL and Redis reads."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

T = TypeVar("T")

WITHIN_S = 60.0  # for short waits: a process can lose the processor for seconds

ORDER_CHANNEL = "io.eventuate.examples.tram.ordersandcustomers.orders.domain.Order"
CUSTOMER_CHANNEL = "io.eventuate.examples.tram.ordersandcustomers.customers.domain.Customer"


def request(
    method: str, url: str, body: object = None, *, raw: bytes | None = None, content_type: str = "application/json"
) -> tuple[int, bytes]:
    """Returns status and body. Raises OSError when there is no answer. A GET is repeated for a while when the gateway reports that the
    service took too long: the gateway allows one second, and a machine can pause for longer."""
    status, answer = _request(method, url, body, raw, content_type)
    deadline = time.monotonic() + WITHIN_S
    while (method, status) == ("GET", 504) and time.monotonic() < deadline:
        status, answer = _request(method, url, body, raw, content_type)
    return status, answer


def _request(method: str, url: str, body: object, raw: bytes | None, content_type: str) -> tuple[int, bytes]:
    data = raw if raw is not None else None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data=data, method=method, headers={"content-type": content_type} if data is not None else {})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def get(url: str) -> Any:
    status, body = request("GET", url)
    assert status == 200, (status, body)
    return json.loads(body, parse_float=Decimal)


def post(url: str, body: object = None) -> Any:
    status, answer = request("POST", url, body)
    assert status == 200, (status, answer)
    return json.loads(answer, parse_float=Decimal)


def new_customer(gateway: str, limit: str = "15.00", name: str = "Ada") -> int:
    return int(post(f"{gateway}/customers", {"name": name, "creditLimit": {"amount": limit}})["customerId"])


def new_order(gateway: str, customer: int, total: str) -> int:
    return int(post(f"{gateway}/orders", {"customerId": customer, "orderTotal": {"amount": total}})["orderId"])


def order_state(gateway: str, order: int) -> tuple[str, str | None]:
    answer = get(f"{gateway}/orders/{order}")
    return answer["orderState"], answer["rejectionReason"]


def eventually(look: Callable[[], T], expected: Callable[[T], bool] | T, within_s: float = WITHIN_S) -> T:
    """Poll until the result is as expected. After the time-out the test fails with the last result."""
    deadline = time.monotonic() + within_s
    is_expected: Callable[[T], bool] = expected if callable(expected) else lambda seen: seen == expected
    while not is_expected(seen := look()):
        assert time.monotonic() < deadline, f"after {within_s:.0f} s it is still {seen!r}"
        time.sleep(0.02)
    return seen


def settled(gateway: str, order: int, within_s: float = WITHIN_S) -> tuple[str, str | None]:
    return eventually(lambda: order_state(gateway, order), lambda state: state[0] != "PENDING", within_s)


def expected_views(sql: Callable[..., list[dict[str, Any]]]) -> dict[int, dict[str, Any]]:
    """The view of each customer, computed from the owners' tables."""
    views: dict[int, dict[str, Any]] = {}
    for row in sql("select id, name, amount from customer_db.customer"):
        views[row["id"]] = {"name": row["name"], "creditLimit": row["amount"], "orders": {}}
    for row in sql("select id, customer_id, amount, state from order_db.orders"):
        view = views.setdefault(row["customer_id"], {"name": None, "creditLimit": None, "orders": {}})
        view["orders"][row["id"]] = (row["state"], row["amount"])
    return views


def state_in_view(redis: Any, customer: int, order: int) -> str | None:
    """The state in Redis. The view learns of an order's end slightly later than the order service."""
    state: str | None = redis.hget(f"customerview:{customer}", f"order:{order}:state")
    return state


def actual_views(redis: Any) -> dict[int, dict[str, Any]]:
    """The views stored in Redis, in the same form."""
    views: dict[int, dict[str, Any]] = {}
    for customer in redis.smembers("customerviews"):
        fields: Mapping[str, str] = redis.hgetall(f"customerview:{customer}")
        limit = fields.get("creditLimit")
        ids = [int(field.split(":")[1]) for field in fields if field.endswith(":state")]
        orders = {order: (fields[f"order:{order}:state"], Decimal(fields[f"order:{order}:total"])) for order in ids}
        views[int(customer)] = {"name": fields.get("name"), "creditLimit": limit and Decimal(limit), "orders": orders}
    return views
