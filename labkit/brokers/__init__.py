"""Brokers: one folder for each product that can carry a profile's messages. model.py describes their interface.

To add a product, write a folder with a class that implements `Broker`, and add an entry here and a parameter in tests/brokers.
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
    """Return the broker of a stack, as its profile names it."""
    return reached(stack.profile, stack.broker)


def reached(profile: Profile, account: "Account") -> "Broker":
    """Return the broker of a profile, with the account for its connections."""
    broker: Broker = _found(_BROKERS[profile.broker_server.product])(account)
    return broker


def positions(profile: Profile) -> "Positions":
    """Return how the broker of a profile writes its positions."""
    found: Positions = _found(_POSITIONS[profile.broker_server.product])()
    return found


def load(product: str) -> None:
    """Import the libraries for reading records early, while nothing waits for them."""
    broker: type[Broker] = _found(_BROKERS[product])
    broker.load()


def _found(where: tuple[str, str]) -> type:
    module, name = where
    found: type = getattr(importlib.import_module(f"labkit.brokers.{module}"), name)
    return found
