"""An order, its states, and the transitions between them."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum


class OrderState(Enum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class RejectionReason(IntEnum):
    """The numbers are those of the column `rejection_reason`."""

    INSUFFICIENT_CREDIT = 0
    UNKNOWN_CUSTOMER = 1


class CannotCancel(Exception):
    """The order cannot be cancelled, because it is not approved."""


@dataclass(frozen=True)
class Order:
    id: int
    customer_id: int
    total: Decimal
    state: OrderState
    rejection_reason: RejectionReason | None = None
    created: datetime | None = None

    @property
    def is_pending(self) -> bool:
        return self.state is OrderState.PENDING

    def cancelled(self) -> "Order":
        """The order after it was cancelled. Raises CannotCancel."""
        if self.state is not OrderState.APPROVED:
            raise CannotCancel(f"order {self.id} is {self.state.value}; only an APPROVED order can be cancelled")
        return replace(self, state=OrderState.CANCELLED)
