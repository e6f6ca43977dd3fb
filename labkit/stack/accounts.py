"""The accounts of a stack's stores and their passwords: the one place that knows them.

Each stack draws its own passwords at its first `up` and keeps them in `accounts.json`, which only its user may read. A stack that is
*open* wants no password for the servers that have one account for all their clients (the broker, Redis), and the services' accounts in
MySQL have passwords equal to their names.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from labkit import paths
from labkit.errors import Damaged, UserError
from labkit.system.model import Profile

FILE = "accounts.json"
ADMIN, OBSERVER = "admin", "observer"
MYSQL_ROOT = "root"  # of a container; natively root has no password, and logs in over a socket that only the stack's user can reach
MYSQL = (MYSQL_ROOT, ADMIN, OBSERVER)  # labkit's own, which every stack has
BYTES = 24  # of chance in each password; as hexadecimal digits they need quoting nowhere


@dataclass(frozen=True)
class Accounts:
    """`drawn` has a password for each of `names`; `open`: not all of them are asked for."""

    drawn: Mapping[str, str]
    open: bool = False

    def mysql(self, user: str) -> str:
        return user if self.open and user not in MYSQL else self.drawn[user]

    def of_server(self, name: str) -> str:
        """Of a server that has one account for all its clients. Empty when none is asked for. Raises UserError."""
        return "" if self.open else self.own(name)

    def own(self, name: str) -> str:
        """The same, whether it is asked for or not."""
        try:
            return self.drawn[name]
        except KeyError:
            raise UserError(f"The stack has no password for {name} yet.", "labkit up") from None


class _Published(dict[str, str]):
    """The password of each account was its name."""

    def __missing__(self, name: str) -> str:
        return name


# What stacks had before each drew its own: so one that was brought up by an earlier labkit is reached until its next `up`.
PUBLISHED = Accounts(_Published(), open=True)


def names(profile: Profile) -> tuple[str, ...]:
    """Whatever has a password in a stack of this profile."""
    return tuple(dict.fromkeys((*MYSQL, *(server.name for server in profile.servers if server.user), *mysql_users(profile))))


def described_servers(profile: Profile) -> str:
    """Those that have one account for all their clients, for people."""
    return " and ".join(server.title for server in profile.servers if server.user)


def describe_open(profile: Profile) -> str:
    """What it means that a stack is open, as sentences."""
    return (
        f"The stack is open: {described_servers(profile)} ask for no password, and the services' accounts in MySQL have their names as "
        "passwords. Whoever works on this host can read and change what is in them."
    )


def mysql_users(profile: Profile) -> tuple[str, ...]:
    """labkit's own accounts in MySQL, and those of the profile's services."""
    return ADMIN, OBSERVER, *(service.account for service in profile.services if service.account)


def of(directory: Path) -> Accounts:
    """Those of the stack in this directory. Raises UserError when the file is damaged."""
    return _read(directory) or PUBLISHED


def is_open(directory: Path) -> bool:
    """Was it open when it was last brought up? Never raises."""
    try:
        found = _read(directory)
    except UserError:
        return False
    return found is not None and found.open


def secrets_of(directory: Path) -> list[str]:
    """Every password that this stack alone has, to be removed from what is shown to others. Never raises."""
    try:
        found = _read(directory)
    except UserError:
        return []
    return list(found.drawn.values()) if found else []


def settle(directory: Path, profile: Profile, *, open_wanted: bool | None = None, draw_anew: bool = False) -> Accounts:
    """Draw what is not drawn yet, or all of it, and keep it; None leaves it open or closed as it is. The caller holds the stack's lock."""
    import secrets

    try:
        known = _read(directory)
    except UserError:
        known = None  # natively the new ones are set over the database's socket
    drawn = {name: secrets.token_hex(BYTES) for name in names(profile)} | (dict(known.drawn) if known and not draw_anew else {})
    found = Accounts(drawn, known.open if known else False)
    if open_wanted is not None:
        found = replace(found, open=open_wanted)
    if found != known:
        paths.write_private(directory / FILE, json.dumps({"open": found.open, "passwords": drawn}, indent=1))
    return found


def _read(directory: Path) -> Accounts | None:
    try:
        data = paths.read_json(directory / FILE, dict, "labkit up")
    except FileNotFoundError:
        return None
    drawn = data.get("passwords")
    if not isinstance(drawn, dict) or not all(isinstance(drawn.get(name), str) and drawn[name] for name in MYSQL):
        raise Damaged(directory / FILE, "it does not hold the passwords of the stack", "labkit up")
    return Accounts({name: text for name, text in drawn.items() if isinstance(text, str) and text}, bool(data.get("open")))
