"""The invariants by their ids: `from labkit.checking.invariants import I2, I7`."""

from labkit.errors import UserError
from labkit.invariants import catalog
from labkit.invariants.catalog import Invariant


def __getattr__(name: str) -> Invariant:
    try:
        return catalog.find(name)
    except UserError as error:
        raise AttributeError(error.message) from None
