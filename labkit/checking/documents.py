"""Comparing two documents, and describing their values in words."""

import json
import re
from decimal import Decimal
from typing import Any

CENT = Decimal("0.01")


class Exactly(dict[str, Any]):
    """An expected object that allows no further entries. Any other object may have more fields than expected."""


def differences(expected: Any, found: Any, field_name: str = "") -> list[tuple[str, str, str]]:
    """Return (field, expected, found) for each difference between two documents. Amounts are compared as numbers."""
    if isinstance(expected, dict) and isinstance(found, dict):
        more = [name for name in found if name not in expected] if isinstance(expected, Exactly) else []
        parts = [(f"{field_name}.{_plain(str(name))}".lstrip("."), name) for name in (*expected, *more)]
        return [
            found_one for path, name in parts for found_one in differences(expected.get(name, _NOTHING), found.get(name, _NOTHING), path)
        ]
    if _same(expected, found):
        return []
    wanted, came = said(expected), said(found)
    if wanted == came:  # they differ only in structure, as an amount and an object with that amount do
        wanted, came = _short(json.dumps(expected, default=str)), _short(json.dumps(found, default=str))
    return [(field_name or "the document", wanted, came)]


def _same(expected: Any, found: Any) -> bool:
    """Compare two values. Numbers are equal by value; a string never equals a number, and true does not equal 1."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    return bool(expected == found)


class _Nothing:
    pass


_NOTHING = _Nothing()
LONGEST = 60  # characters of a value in a message


def said(value: Any) -> str:
    """Return a value in readable form. Text that could be mistaken for another type is quoted. An amount has two decimals, or more if it
    is not in whole cents."""
    match value:
        case _Nothing():
            return "nothing"
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:.2f}" if value.is_finite() and abs(value) < 10**15 and value == value.quantize(CENT) else f"{value}"[:LONGEST]
        case int():
            return f"{value}" if abs(value) < 10**30 else "a number of more than 30 digits"
        case dict() if list(value) == ["amount"]:
            return said(value["amount"])
        case dict():
            return _short("{" + ", ".join(f"{_plain(str(k))}: {said(v)}" for k, v in list(value.items())[:LONGEST]) + "}")
        case list():
            return _short("[" + ", ".join(said(v) for v in value[:LONGEST]) + "]")
        case str():
            return _short(value if _WORD.fullmatch(value) else json.dumps(value))
    return "null" if value is None else str(value)


_WORD = re.compile(r"(?!(?:null|true|false|nothing)$)[A-Za-z][A-Za-z0-9_ ]*")


def _plain(text: str) -> str:
    return text if text.isascii() and text.isprintable() else json.dumps(text)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
