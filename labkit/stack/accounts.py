"""The accounts and passwords of a stack's stores. Only this module knows them.

Each stack generates its own passwords at its first `up` and saves them in `accounts.json`, which only its user can read. In an *open*
stack, the servers that have one account for all clients (the broker, Redis) require no password, and the services' MySQL accounts use their
names as passwords.
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
MYSQL_ROOT = "root"  # in containers; natively, root has no password and logs in over a socket that only the stack's user can reach
MYSQL = (MYSQL_ROOT, ADMIN, OBSERVER)  # labkit's own accounts, which every stack has
BYTES = 24  # random bytes in each password; hexadecimal digits need no quoting


@dataclass(frozen=True)
class Accounts:
    """`drawn` maps each account to its password. `open` means that some passwords are not required."""

    drawn: Mapping[str, str]
    open: bool = False

    def mysql(self, user: str) -> str:
        return user if self.open and user not in MYSQL else self.drawn[user]

    def of_server(self, name: str) -> str:
        """Return the password of a server that has one account for all clients, or "" when none is required. Raises UserError."""
        return "" if self.open else self.own(name)

    def own(self, name: str) -> str:
        """Return the server's password, even when it is not required. Raises UserError when the stack has none yet."""
        try:
            return self.drawn[name]
        except KeyError:
            raise UserError(f"The stack has no password for {name} yet.", "labkit up") from None


class _Published(dict[str, str]):
    """Maps each account to its name, which was its password."""

    def __missing__(self, name: str) -> str:
        return name


# The passwords that all stacks had before each stack generated its own. A stack that an earlier labkit started uses them until its next
# `up`.
PUBLISHED = Accounts(_Published(), open=True)


def names(profile: Profile) -> tuple[str, ...]:
    """Return all accounts that have a password in a stack of this profile."""
    return tuple(dict.fromkeys((*MYSQL, *(server.name for server in profile.servers if server.user), *mysql_users(profile))))


def described_servers(profile: Profile) -> str:
    """Return the titles of the servers that have one account for all clients, for people."""
    return " and ".join(server.title for server in profile.servers if server.user)


def describe_open(profile: Profile) -> str:
    """Explain in sentences what an open stack means."""
    return (
        f"The stack is open: {described_servers(profile)} ask for no password, and the services' accounts in MySQL have their names as "
        "passwords. Anyone on this host can read and change the data."
    )


def mysql_users(profile: Profile) -> tuple[str, ...]:
    """Return the MySQL users: labkit's own, and those of the profile's services."""
    return ADMIN, OBSERVER, *(service.account for service in profile.services if service.account)


def of(directory: Path) -> Accounts:
    """Return the accounts of the stack in this directory. Raises UserError when the file is damaged."""
    return _read(directory) or PUBLISHED


def is_open(directory: Path) -> bool:
    """Whether the stack was open when it was last brought up. Never raises."""
    try:
        found = _read(directory)
    except UserError:
        return False
    return found is not None and found.open


def secrets_of(directory: Path) -> list[str]:
    """Return all passwords that are specific to this stack, for redaction. Never raises."""
    try:
        found = _read(directory)
    except UserError:
        return []
    return list(found.drawn.values()) if found else []


def settle(directory: Path, profile: Profile, *, open_wanted: bool | None = None, redraw: bool = False) -> Accounts:
    """Generate the missing passwords (with `redraw` all of them) and save them. The caller holds the stack's lock.

    `open_wanted` opens or closes the stack; None leaves it unchanged.
    """
    import secrets

    try:
        known = _read(directory)
    except UserError:
        known = None  # natively, the new passwords are set over the database's socket
    drawn = {name: secrets.token_hex(BYTES) for name in names(profile)} | (dict(known.drawn) if known and not redraw else {})
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
