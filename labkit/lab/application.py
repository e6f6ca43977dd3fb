"""The running application as checks see it: its REST API and, as an outside observer, the stores behind it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from labkit.lab.check import NotJudged
from labkit.stack.sql import connected

if TYPE_CHECKING:
    from labkit.stack.model import Stack

T = TypeVar("T")

ORDER_CHANNEL = "io.eventuate.examples.tram.ordersandcustomers.orders.domain.Order"
CUSTOMER_CHANNEL = "io.eventuate.examples.tram.ordersandcustomers.customers.domain.Customer"
POLL_S = 0.02


@dataclass(frozen=True)
class Order:
    """An order that a check placed."""

    id: int
    customer_id: int
    total: Decimal


@dataclass(frozen=True)
class Customer:
    id: int
    name: str
    limit: Decimal


class Application:
    """REST through the gateway; tables, records and view read from the stores themselves."""

    def __init__(self, stack: "Stack") -> None:
        import httpx
        import redis

        self.stack = stack
        self._http = httpx.Client(base_url=stack.url("gateway"), timeout=10.0, trust_env=False)
        self._redis = redis.Redis(host=stack.redis.host, port=stack.redis.port, decode_responses=True, socket_timeout=5.0)

    # REST

    def request(self, method: str, path: str, body: object | None = None) -> tuple[int, Any]:
        """Status and JSON (None for an empty body; amounts as Decimal). Raises NotJudged when nobody answers."""
        import httpx

        content = None if body is None else json.dumps(body)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            answer = self._http.request(method, path, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise NotJudged(f"{method} {path} got no answer: {error}.", next_step="labkit status") from error
        try:
            return answer.status_code, json.loads(answer.text, parse_float=Decimal) if answer.content else None
        except ValueError:
            return answer.status_code, answer.text

    def customer(self, name: str, limit: str) -> Customer:
        status, answer = self.request("POST", "/customers", {"name": name, "creditLimit": {"amount": limit}})
        self._expect_200("POST /customers", status, answer)
        return Customer(answer["customerId"], name, Decimal(limit))

    def order(self, customer_id: int, total: str) -> Order:
        status, answer = self.request("POST", "/orders", {"customerId": customer_id, "orderTotal": {"amount": total}})
        self._expect_200("POST /orders", status, answer)
        return Order(answer["orderId"], customer_id, Decimal(total))

    def state(self, order: Order) -> tuple[str, str | None]:
        """State and rejection reason as GET /orders/{id} tells them."""
        status, answer = self.request("GET", f"/orders/{order.id}")
        self._expect_200(f"GET /orders/{order.id}", status, answer)
        return answer.get("orderState"), answer.get("rejectionReason")

    def settled(self, order: Order, within_s: float = 10.0) -> tuple[str, str | None]:
        """State and reason once the order is no longer PENDING, or what they are when the time is up."""
        return self.until(lambda: self.state(order), lambda state: state[0] != "PENDING", within_s)

    def _expect_200(self, what: str, status: int, answer: Any) -> None:
        if status != 200:
            detail = answer.get("detail", answer) if isinstance(answer, dict) else answer
            raise NotJudged(f"{what} answered {status}: {detail}.", next_step="labkit status")

    def not_ready(self) -> list[tuple[str, str, str]]:
        """(name, state, how it ended) of each component that is not up and ready."""
        from labkit.stack.facts import facts

        components = [c for c in facts(self.stack)["components"] if c["state"] != "running" and c["name"] != "supervisor"]
        return [(c["name"], c["state"], "" if c["pid"] else self._how_it_ended(c["name"])) for c in components]

    def _how_it_ended(self, name: str) -> str:
        from labkit.stack import runtimes

        end = runtimes.of_stack(self.stack).last_end(name, 0.0)
        return "nobody saw it end" if end is None else f"ended {end}"

    # stores

    def sql(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of a query, read as the administrator, each time as committed now."""
        from pymysql.cursors import DictCursor

        try:
            with connected(self.stack.mysql, cursorclass=DictCursor) as cursor:
                cursor.execute(query, values)
                return [dict(row) for row in cursor.fetchall()]
        except OSError as error:
            raise NotJudged(f"MySQL cannot be asked: {error}.", next_step="labkit status") from error

    def view(self, customer_id: int) -> dict[str, str]:
        """The fields of a customer's view in Redis; empty when there is none."""
        import redis

        try:
            fields: Any = self._redis.hgetall(f"customerview:{customer_id}")
        except redis.RedisError as error:
            raise NotJudged(f"Redis does not answer: {error}.", next_step="labkit status") from error
        return dict(fields)

    def message_ids_on(self, channel: str) -> set[str]:
        """The ids of all messages that Kafka holds of a channel."""
        from labkit.lab.kafka_records import read_records

        ids = set()
        for value in read_records(self.stack.kafka_bootstrap, channel):
            try:
                ids.add(json.loads(value)["headers"]["ID"])
            except (ValueError, KeyError, TypeError):
                continue
        return ids

    # waiting

    def until(self, look: Callable[[], T], is_enough: Callable[[T], bool], within_s: float) -> T:
        """Look until it is enough or the time is up; the last thing seen."""
        deadline = time.monotonic() + within_s
        while True:
            seen = look()
            if is_enough(seen) or time.monotonic() > deadline:
                return seen
            time.sleep(POLL_S)
