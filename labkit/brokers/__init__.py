"""Brokers: one folder for each product that can carry the messages of a profile; model.py says what each of them does.

A further one is a folder with a class that does what `Broker` says, an entry here and a parameter in tests/brokers.
"""

import importlib
from typing import TYPE_CHECKING

from labkit.system.model import Profile

if TYPE_CHECKING:
    from labkit.account import Account
    from labkit.brokers.model import Broker, HasBroker, Positions

_BROKERS = {"kafka": ("kafka.broker", "Kafka")}
_POSITIONS = {"kafka": ("kafka.positions", "Offsets")}


def of(stack: "HasBroker") -> "Broker":
    """The broker of a stack, as its profile says."""
    return reached(stack.profile, stack.broker)


def reached(profile: Profile, account: "Account") -> "Broker":
    """The broker of a profile, with the account that reaches it."""
    broker: Broker = _found(_BROKERS[profile.broker_server.product])(account)
    return broker


def positions(profile: Profile) -> "Positions":
    """How the broker of a profile writes its positions."""
    found: Positions = _found(_POSITIONS[profile.broker_server.product])()
    return found


def load(product: str) -> None:
    """Import what it takes to read records, while nobody waits for it."""
    broker: type[Broker] = _found(_BROKERS[product])
    broker.load()


def _found(where: tuple[str, str]) -> type:
    module, name = where
    found: type = getattr(importlib.import_module(f"labkit.brokers.{module}"), name)
    return found
