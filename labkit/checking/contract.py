"""The contract of the REST API as data, and the one function that reads every answer in a scenario.

An answer may have more fields than these. An answer that breaks the contract is Failed, with the field, the expected value and the actual
one. Nothing that a service answers makes a check raise any other exception.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from labkit.checking.checks import Failed
from labkit.checking.documents import said

MAX_ID = 2**63 - 1
DEEPEST = 50  # levels of nesting in an answer
SHOWN = 120  # characters of an answer in a message
Field = Callable[[Any, str], None]
"""Checks a value, given the name of its field; raises _Wrong."""


class _Wrong(Exception):
    def __init__(self, sentence: str, expected: str, found: str) -> None:
        super().__init__(sentence)
        self.sentence, self.expected, self.found = sentence, expected, found


def an_id(value: Any, at: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MAX_ID:
        _refuse(at, value, "a whole number from 1 to 2^63-1")


def text(value: Any, at: str) -> None:
    if not isinstance(value, str):
        _refuse(at, value, "a string")


def number(value: Any, at: str) -> None:
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        _refuse(at, value, "a number")


def thing(**fields: Field) -> Field:
    """Return a Field for an object with these fields."""

    def read(value: Any, at: str) -> None:
        if not isinstance(value, dict):
            _refuse(at, value, f"an object with {', '.join(fields)}" if fields else "an object")
        for name, field in fields.items():
            place = f"{at}.{name}".lstrip(".")
            if name in value:
                field(value[name], place)
            elif field not in _MAY_BE_ABSENT:
                raise _Wrong(f"has no {place}{_called(name, value)}", f"{place}: {_EXPECTED.get(field, 'is there')}", shown(value))

    return read


def each(field: Field, *, named: bool = False) -> Field:
    """Return a Field for a list of `field`, or with `named` for an object whose values are all `field`."""

    def read(value: Any, at: str) -> None:
        if named and isinstance(value, dict):
            parts = list(value.items())
        elif not named and isinstance(value, list):
            parts = [(str(index), one) for index, one in enumerate(value)]
        else:
            _refuse(at, value, "an object" if named else "a list")
        for name, one in parts:
            field(one, f"{at}.{shown_text(name)}".lstrip("."))

    return read


def or_null(field: Field) -> Field:
    """Return a Field for a value that may be null or absent."""

    def read(value: Any, at: str) -> None:
        if value is not None:
            field(value, at)

    _MAY_BE_ABSENT.append(read)
    return read


_MAY_BE_ABSENT: list[Field] = []
_EXPECTED: dict[Field, str] = {an_id: "a whole number from 1 to 2^63-1", text: "a string", number: "a number"}
_MONEY = thing(amount=number)
_EXPECTED[_MONEY] = 'an amount, {"amount": 12.34}'
_CUSTOMER = thing(customerId=an_id, name=text, creditLimit=_MONEY)
_ORDER = thing(orderId=an_id, orderState=text, rejectionReason=or_null(text))
_HISTORY = thing(id=an_id, orders=each(thing(), named=True))
_ORDERS, _CUSTOMERS, _VIEW = "services/orders/app.py", "services/customers/app.py", "services/order_history/app.py"
# method, path, content of the answer, field that repeats the id in the path, file that makes the answer
ROUTES: tuple[tuple[str, str, Field, str, str], ...] = (
    ("POST", r"/customers", thing(customerId=an_id), "", _CUSTOMERS),
    ("GET", r"/customers", thing(customers=each(_CUSTOMER)), "", _CUSTOMERS),
    ("GET", r"/customers/(\d+)", _CUSTOMER, "customerId", _CUSTOMERS),
    ("GET", r"/customers/(\d+)/orderhistory", _HISTORY, "id", _VIEW),
    ("POST", r"/orders", thing(orderId=an_id), "", _ORDERS),
    ("GET", r"/orders", thing(orders=each(_ORDER)), "", _ORDERS),
    ("GET", r"/orders/(\d+)", _ORDER, "orderId", _ORDERS),
    ("GET", r"/orders/customer/(\d+)", each(_ORDER), "", _ORDERS),
    ("POST", r"/orders/(\d+)/cancel", _ORDER, "orderId", _ORDERS),
)


def read(method: str, path: str, headers: Mapping[str, str], content: bytes) -> Any:
    """Return the JSON of an answer with status 2xx, amounts as Decimal. Raises Failed if it breaks the contract."""
    route = next(((m, r) for r in ROUTES if r[0] == method and (m := re.fullmatch(r[1], path))), None)
    try:
        if not content:
            raise _Wrong("is empty", "JSON", "nothing")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if not re.fullmatch(r"application/(.+\+)?json", kind):
            raise _Wrong(f"is {shown_text(kind) or 'without a content type'}", "content-type: application/json", shown_bytes(content))
        found = decoded(content)
        if route is not None:
            (match, (_, _, field, same, _)) = route
            field(found, "")
            if same and found[same] != int(match[1]):
                raise _Wrong(f"is about {same} {found[same]}", f"{same}: {match[1]}", shown(found))
        return found
    except _Wrong as wrong:
        where = route[1][4] if route else ""
        raise Failed(
            f"The answer to {method} {path} {wrong.sentence}.",
            expected=wrong.expected,
            found=wrong.found,
            so="the caller cannot read it.",
            next_step=f"what does it answer? see {where}" if where else "labkit logs gateway",
        ) from None


def decoded(content: bytes | str) -> Any:
    """Return parsed JSON, with amounts as Decimal. Raises _Wrong."""
    if not content:
        raise _Wrong("is empty", "JSON", "nothing")
    try:
        plain = content if isinstance(content, str) else content.decode()
        found = json.loads(plain, parse_float=Decimal, parse_constant=_no_number)
    except RecursionError:
        raise _Wrong("is nested too deeply", f"JSON of at most {DEEPEST} levels", shown_bytes(content)) from None
    except (ValueError, ArithmeticError) as error:
        raise _Wrong(f"is not JSON ({shown_text(str(error))})", "JSON", shown_bytes(content)) from None
    if _deeper_than(found, DEEPEST):
        raise _Wrong("is nested too deeply", f"JSON of at most {DEEPEST} levels", shown_bytes(content))
    return found


def answer_of(content: bytes | str | None) -> Any:
    """Return the JSON of any answer, its text if it is not JSON, or None if it is empty."""
    try:
        return decoded(content) if content else None
    except _Wrong:
        return content if isinstance(content, str) else (content or b"").decode(errors="replace")


def detail_of(content: bytes | str | None) -> str:
    """Return the message of a problem document, or the text of any other answer."""
    found = answer_of(content)
    if isinstance(found, dict):
        found = found.get("detail") or found.get("title") or ""
    return shown_text(found) if isinstance(found, str) else "" if found is None else shown(found)


def _deeper_than(value: Any, levels: int) -> bool:
    within = [value]
    for _ in range(levels):
        within = [part for one in within if isinstance(one, dict | list) for part in (one.values() if isinstance(one, dict) else one)]
        if not within:
            return False
    return True


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _refuse(at: str, value: Any, expected: str) -> NoReturn:
    found = shown(value)
    if not at:
        raise _Wrong(f"is not an object: {found}" if expected.startswith("an object") else f"is not {expected}: {found}", expected, found)
    raise _Wrong(f"says {at} = {found}, which is not {expected}", f"{at}: {expected}", f"{at} = {found}")


def _called(name: str, fields: Mapping[str, Any]) -> str:
    """Return a hint if the field exists under a differently spelled name; otherwise an empty string."""
    alike = [other for other in fields if _bare(other) == _bare(name)]
    return f": it calls it {shown_text(alike[0])}" if alike else ""


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def shown(value: Any) -> str:
    """Return a value in readable form, on one line."""
    try:
        found = json.dumps(value, default=str) if isinstance(value, dict | list) else said(value)
    except (ValueError, RecursionError):  # a number with thousands of digits
        found = f"a {type(value).__name__}"
    return shown_text(found)


def shown_bytes(content: bytes | str) -> str:
    return shown_text(content if isinstance(content, str) else content.decode(errors="replace"))


def shown_text(found: str) -> str:
    """Return text on one line, shortened and without control characters."""
    found = "".join(c if c.isprintable() else " " for c in found[: SHOWN * 2])
    found = " ".join(found.split())
    return found if len(found) <= SHOWN else found[: SHOWN - 1] + "…"
