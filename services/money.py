"""Money: an amount in decimal digits from end to end, never a float.

On the wire it is `{"amount": 12.34}`, a JSON number with its exact digits. A bare number or a text is accepted too, as in the Java
original.
"""

import re
from decimal import Decimal

import msgspec

CENT = Decimal("0.01")
MAX_DIGITS = 15  # before the point; well inside DECIMAL(38,2), well above any order


class Money(msgspec.Struct, frozen=True):
    """The wire form of an amount."""

    amount: Decimal


class _Amount(msgspec.Struct):
    amount: msgspec.Raw = msgspec.Raw(b"null")


_object = msgspec.json.Decoder(_Amount)
_text = msgspec.json.Decoder(str)
# JSON's number syntax, also within a text: Python's Decimal would read 1_0 as 10, and accept digits of every script.
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,2})?")  # in a text: the format that gateway/openapi.json declares


class NoMoney(ValueError):
    """The amount is invalid. The text completes a sentence that begins with the field's name: "orderTotal must be a number"."""


def read_money(wire: msgspec.Raw) -> Decimal:
    """The amount of a JSON value: finite, of a reasonable size, with at most two decimal places. Raises NoMoney."""
    json = bytes(wire)
    try:
        if json.startswith(b"{"):
            json = bytes(_object.decode(json).amount)
        if json == b"null":
            raise NoMoney("is missing")
        is_text = json.startswith(b'"')
        text = _text.decode(json) if is_text else json.decode()
        amount = Decimal(text) if (_PLAIN if is_text else _NUMBER).fullmatch(text) else None
    except (msgspec.DecodeError, UnicodeError, ArithmeticError, RecursionError):
        amount = None
    if amount is None:
        raise NoMoney("must be a number")
    return _exact(amount)


def amount_in(field: str, wire: msgspec.Raw) -> Decimal:
    """The amount of an event's field. Raises NoMoney with a complete sentence."""
    try:
        return read_money(wire)
    except NoMoney as error:
        raise NoMoney(f"{field} {error}") from None


def _exact(amount: Decimal) -> Decimal:
    if not amount.is_finite():
        raise NoMoney("must be a number")
    # adjusted() gives the size without writing out the digits of 1e999999999.
    if amount and not -MAX_DIGITS < amount.adjusted() < MAX_DIGITS:
        raise NoMoney(f"must have at most {MAX_DIGITS} digits before the point and 2 after it")
    if not amount:
        return Decimal(0)  # drops the sign and the exponent
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or -2 <= exponent <= 0:
        return amount
    rounded = amount.quantize(Decimal(1) if exponent > 0 else CENT)
    if rounded != amount:
        raise NoMoney("must have at most 2 decimal places")
    return rounded


def with_cents(amount: Decimal) -> Decimal:
    """15 → 15.00"""
    return amount.quantize(CENT)
