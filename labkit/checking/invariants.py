"""The invariants by their ids: `from labkit.checking.invariants import I2, I7`."""

from labkit.errors import UserError
from labkit.invariants import discovery
from labkit.invariants.discovery import Invariant


def __getattr__(name: str) -> Invariant:
    try:
        return discovery.find(name)
    except UserError as error:
        raise AttributeError(error.message) from None
