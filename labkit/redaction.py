"""Text without what is nobody else's business: passwords, tokens, and who and where the user is."""

import getpass
import os
import re
import socket
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

REMOVED = "(removed)"
_SECRET_NAME = re.compile(
    r"(?i)pass(word|wd|phrase|code)?$|pwd$|secret|token|credential|(api|access|private|signing)[-_]?key|auth(orization)?$|cookie"
)
# Names that are words of our own subject, too: nobody is hidden by removing them, and the text would lose its sense.
_COMMON = frozenset(
    {"root", "admin", "administrator", "user", "test", "ubuntu", "debian", "localhost"}
    | {"mysql", "redis", "kafka", "docker", "labkit", "relay", "orders", "customers"}
)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), REMOVED),
    # scheme://user:password@host, scheme://token@host
    (re.compile(r"(?<=://)[^\s/@'\"]+@"), f"{REMOVED}@"),
    (re.compile(r"(?i)([?&][\w.-]*(?:token|key|secret|sig|signature|passw(?:or)?d|auth|credential)[\w.-]*=)[^\s&#'\"]+"), rf"\1{REMOVED}"),
    (re.compile(r"(?i)\b(authorization|proxy-authorization|cookie|set-cookie)(['\"]?\s*[:=]\s*)[^\r\n'\"]+"), rf"\1\2{REMOVED}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {REMOVED}"),
    # NAME_PASSWORD=value, "token": "value", --password value
    (
        re.compile(
            r"(?i)(?P<name>[\w.-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|(?:api|access|private|signing)[-_]?key)[\w.-]*)"
            r"(?P<between>['\"]?\s*[:=]\s*)(?:(?P<quote>['\"])(?:(?!(?P=quote))[^\\\n]|\\.)*(?P=quote)|[^\s,;'\"}&\[{(]+)"
        ),
        rf"\g<name>\g<between>\g<quote>{REMOVED}\g<quote>",
    ),
    (re.compile(r"(?i)(--?(?:password|passwd|token|secret)[= ])\S+"), rf"\1{REMOVED}"),
    # what services call their tokens by the first letters
    (
        re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk-|pypi-|dckr_pat_|npm_)[A-Za-z0-9_-]{16,}|\bAKIA[A-Z0-9]{16}\b"),
        REMOVED,
    ),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), REMOVED),
)


def is_secret(name: str) -> bool:
    """Does a variable of this name hold a secret?"""
    return bool(_SECRET_NAME.search(name))


def without_secrets(text: str) -> str:
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


@cache
def anonymous() -> Callable[[str], str]:
    """Removes secrets, the values that this process's environment keeps under a secret's name, the user and the machine."""
    return cleaner(os.environ, home=Path.home(), user=_user(), host=socket.gethostname())


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def cleaner(environment: Mapping[str, str], *, home: Path, user: str, host: str) -> Callable[[str], str]:
    values = sorted({value for name, value in environment.items() if is_secret(name) and len(value) >= 6}, key=len, reverse=True)
    names = [(user, "(user)"), (host, "(host)")]
    words = [
        (re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), instead)
        for name, instead in names
        if len(name) >= 3 and name.lower() not in _COMMON
    ]

    def clean(text: str) -> str:
        for value in values:
            text = text.replace(value, REMOVED)
        text = without_secrets(text)
        if len(str(home)) > 1:
            text = re.sub(rf"{re.escape(str(home))}(?![\w-])", "~", text)
        text = _homes(text)
        for pattern, instead in words:
            text = pattern.sub(instead, text)
        return text

    return clean


def _homes(text: str) -> str:
    """The folders of users, of this machine's or a virtual machine's outside."""
    return re.sub(r"((?:/home|/Users|\\Users|/mnt/[a-z]/Users)[/\\])(?!linuxbrew\b)[^/\\\s'\":,;]+", r"\1(user)", text)
