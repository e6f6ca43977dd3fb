"""Names and amounts drawn from a seed. The same seed gives the same values, and code under study cannot hard-code them."""

import random
from decimal import Decimal

from labkit.checking.documents import CENT
from labkit.checking.schedule import current_check

NAMES = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Alan", "Radia", "Leslie", "Hedy", "Dennis", "Joan")


class Dice:
    """One random generator per check, so that a check's values do not depend on what other checks do at the same time."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._by_check: dict[str, random.Random] = {}

    @property
    def random(self) -> random.Random:
        """The generator of the running check."""
        check = current_check.get()
        return self._by_check.setdefault(check, random.Random(f"{self._seed} {check}"))

    def name(self) -> str:
        return f"{self.random.choice(NAMES)} {self.random.randrange(1000, 10_000)}"

    def amount(self, low: str, high: str) -> Decimal:
        """Return a random amount from `low` to `high`, in whole cents."""
        return Decimal(self.random.randint(int(Decimal(low) * 100), int(Decimal(high) * 100))) * CENT
