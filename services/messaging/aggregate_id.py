"""Aggregate ids: whole numbers above 0 that fit in 64 bits, both in events and in requests."""

import re
from typing import Annotated

import msgspec

MAX_ID = 2**63 - 1
AggregateId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]

_DECIMAL = re.compile(r"[1-9][0-9]{0,18}")  # the canonical form: one spelling for each id


def read_id(text: str) -> int:
    """Parse an aggregate id. Raises ValueError; its text completes a sentence that begins with the field's name."""
    if _DECIMAL.fullmatch(text) and (number := int(text)) <= MAX_ID:
        return number
    raise ValueError(f"must be a whole number from 1 to {MAX_ID}, it is {text[:40]!r}")
