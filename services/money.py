"""Money: an amount of decimal digits, from end to end. Never a float.

On the wire it is `{"amount": 12.34}`, a JSON number with the digits that it has; a bare number or a text is understood too, as the
Java original does.
"""

from decimal import Decimal

import msgspec

CENT = Decimal("0.01")
MAX_DIGITS = 15  # before the point; far inside DECIMAL(38,2), far beyond any order


class Money(msgspec.Struct, frozen=True):
    """How an amount is written."""

    amount: Decimal


class _Amount(msgspec.Struct):
    amount: Decimal | None = None


_object = msgspec.json.Decoder(_Amount)
_bare = msgspec.json.Decoder(Decimal | None)


class NoMoney(ValueError):
    """The text completes a sentence that begins with the field's name: "orderTotal must be a number"."""


def read_money(wire: msgspec.Raw) -> Decimal:
    """The amount of a JSON value: finite, of a sane size, with at most two decimal places. Raises NoMoney."""
    text = bytes(wire)
    try:
        amount = _object.decode(text).amount if text.startswith(b"{") else _bare.decode(text)
    except (ValueError, ArithmeticError):
        raise NoMoney("must be a number") from None
    if amount is None:
        raise NoMoney("is missing")
    return _exact(amount)


def _exact(amount: Decimal) -> Decimal:
    if not amount.is_finite():
        raise NoMoney("must be a number")
    # adjusted() tells the size without writing out the digits of 1e999999999
    if amount and not -MAX_DIGITS < amount.adjusted() < MAX_DIGITS:
        raise NoMoney(f"must have at most {MAX_DIGITS} digits before the point and 2 after it")
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or -2 <= exponent <= 0:
        return amount
    if not amount:
        return Decimal(0)
    rounded = amount.quantize(Decimal(1) if exponent > 0 else CENT)
    if rounded != amount:
        raise NoMoney("must have at most 2 decimal places")
    return rounded


def with_cents(amount: Decimal) -> Decimal:
    """15 → 15.00"""
    return amount.quantize(CENT)
