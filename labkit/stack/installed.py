"""The servers that are installed on this machine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.errors import UserError
from labkit.stack import products


@dataclass(frozen=True)
class Installed:
    servers: Mapping[str, Any]  # by product: the result of its `find`

    def versions(self) -> dict[str, str]:
        """Return the version of each product, for people."""
        return {product: products.of(product).version(found) for product, found in self.servers.items()}


def find_all(wanted: Iterable[str] = products.NAMES) -> Installed:
    """Find these products. Raises UserError that names the missing ones."""
    found = {product: products.of(product).find() for product in wanted}
    if lacking := [products.of(product).needed for product, server in found.items() if server is None]:
        raise UserError(f"This machine lacks {', '.join(lacking)}.", "labkit setup")
    return Installed(found)
