"""Numbers as people type them: plain digits. Python's own parsing also accepts "1_0", digits of every script, "nan" and "inf"."""

import re

WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{0,18})?")


def whole(text: str) -> int:
    """Return a whole number. Raises ValueError."""
    if not WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def number(text: str) -> float:
    """Return a number. Raises ValueError."""
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number")
    return float(text)
