"""A customer and the one rule about credit."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Customer:
    id: int
    name: str
    credit_limit: Decimal


@dataclass
class CreditAccount:
    """The credit of one customer, locked by this transaction: no other transaction decides about it until the end."""

    id: int
    credit_limit: Decimal
    reserved: Decimal

    @property
    def available_credit(self) -> Decimal:
        return self.credit_limit - self.reserved
