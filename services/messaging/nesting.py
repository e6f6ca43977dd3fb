"""Measures how deeply JSON is nested, before it is decoded.

The decoder's own limit is the remaining stack, which differs between calls and processes. A fixed limit means that all subscribers accept a
record, or none.
"""

import re

MAX_DEPTH = 200  # no event is a tenth as deep

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # also matches an unterminated string, so that the time stays linear
_NO_BRACKET = re.compile(rb"[^\[\]{}]+")


def is_too_deep(json: bytes | str) -> bool:
    if isinstance(json, str):
        if json.count("[") + json.count("{") <= MAX_DEPTH:
            return False
        json = json.encode(errors="surrogatepass")
    if json.count(b"[") + json.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in _NO_BRACKET.sub(b"", _STRING.sub(b"", json)):
        if bracket in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        else:
            depth -= 1
    return False
