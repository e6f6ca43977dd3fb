"""Remove private data from text: passwords, tokens, and the names of the user, the machine and home folders.

A secret is recognized by its shape (secret_shapes.py), by its name (named_secrets.py), or because a variable of this process's environment
with a secret's name has the same value. When in doubt, the text is removed: a reader can ask for removed text, but published text cannot be
recalled.
"""

import base64
import getpass
import json
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from labkit.redaction.named_secrets import is_secret_name, without_named
from labkit.redaction.secret_shapes import REMOVED, without_shapes, without_userinfo
from labkit.stack import products

__all__ = ["REMOVED", "anonymous", "cleaner", "is_secret", "without_secrets", "without_userinfo"]

# Words of labkit's own subject. Removing them would make the text unreadable and would not protect the user.
_COMMON = frozenset(
    {"root", "admin", "administrator", "user", "test", "ubuntu", "debian", "localhost", "true", "false", "none", "null"}
    | {*products.NAMES, "docker", "labkit", "relay", "orders", "customers", "password", "secret"}
)
SHORTEST = 4  # minimum length of a value that is searched for literally
_ADDRESS = re.compile(r"(?i)proxy|url|uri|dsn|registry|mirror")


def is_secret(name: str) -> bool:
    """Whether a variable with this name holds a secret."""
    return is_secret_name(name)


def without_secrets(text: str) -> str:
    return without_named(without_shapes(text))


@cache
def anonymous() -> Callable[[str], str]:
    """Return a function that removes secrets, secret values from this process's environment, the user's name and the machine's name."""
    return cleaner(os.environ, home=Path.home(), user=_user(), host=socket.gethostname())


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def cleaner(environment: Mapping[str, str], *, home: Path, user: str, host: str) -> Callable[[str], str]:
    values = sorted(set(_spellings(environment)), key=len, reverse=True)
    known = [re.compile(rf"(?<!\w){re.escape(v)}(?!\w)" if v.isalnum() and len(v) < 12 else re.escape(v)) for v in values]
    names = [(user, "(user)"), (host, "(host)")]
    words = [
        (re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), instead)
        for name, instead in names
        if len(name) >= 3 and name.lower() not in _COMMON
    ]

    def clean(text: str) -> str:
        for pattern in known:
            text = pattern.sub(REMOVED, text)
        text = without_secrets(text)
        if len(str(home)) > 1:
            text = re.sub(rf"{re.escape(str(home))}(?![\w-])", "~", text)
        text = _homes(text)
        for pattern, instead in words:
            text = pattern.sub(instead, text)
        return text

    return clean


def _spellings(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield every secret in the variables, in all the ways in which it may be written elsewhere."""
    for name, value in environment.items():
        secrets = list(_secrets_in(value)) if is_secret(name) else []
        if not secrets and _ADDRESS.search(name):
            secrets = [password for _, password in _userinfos(value)]
        for secret in secrets:
            lines = secret.splitlines() if "\n" in secret else []
            for text in (secret, *(line for line in lines if len(line) >= 8)):
                if len(text) >= SHORTEST and text.lower() not in _COMMON:
                    yield from (text, json.dumps(text)[1:-1], quote(text, safe=""), unquote(text))


def _secrets_in(value: str) -> Iterator[str]:
    """Yield the value and what it contains: each text of JSON, and the password of base64-encoded user:password."""
    yield value
    try:
        texts = list(_texts(json.loads(value))) if value.lstrip()[:1] in ("{", "[") else []
    except (ValueError, RecursionError):
        texts = []
    for text in texts:
        if len(text) >= 6:
            yield text
        try:
            decoded = base64.b64decode(text, validate=True).decode()
        except ValueError:
            continue
        if ":" in decoded and decoded.isprintable():
            yield decoded.partition(":")[2]


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping | list):
        for item in data.values() if isinstance(data, Mapping) else data:
            yield from _texts(item)


def _userinfos(value: str) -> Iterator[tuple[str, str]]:
    before, at, _ = value.rpartition("@")
    user, colon, password = before.rpartition("://")[2].partition(":")
    if at and colon:
        yield user, password


def _homes(text: str) -> str:
    """Replace the users' home folders, on this machine and on the host of a virtual machine."""
    return re.sub(r"((?:/home|/Users|\\Users|/mnt/[a-z]/Users)[/\\])(?!linuxbrew\b)[^/\\\s'\":,;]+", r"\1(user)", text)
