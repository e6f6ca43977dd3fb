"""A customer, and the rule about available credit."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Customer:
    id: int
    name: str
    credit_limit: Decimal


@dataclass
class CreditAccount:
    """The credit of one customer, locked by this transaction. No other transaction can change it until this one ends."""

    id: int
    credit_limit: Decimal
    reserved: Decimal

    @property
    def available_credit(self) -> Decimal:
        return self.credit_limit - self.reserved
