"""The invariants by their ids: `from labkit.checking.invariants import I2, I7`."""

from labkit.invariants import catalog
from labkit.invariants.catalog import Invariant


def invariant(an_id: str) -> Invariant:
    """Raises KeyError for an id that no invariant has."""
    return {each.id: each for each in catalog.ALL}[an_id]


def __getattr__(name: str) -> Invariant:
    try:
        return invariant(name)
    except KeyError:
        raise AttributeError(f"there is no invariant {name}") from None
