"""Names of the same kind are mistaken for each other."""

import pytest

from tests.mutation.making import changes, made

CONTRACTS = """
class Created: ...

class Cancelled: ...
"""
ORDER = """
class State(Enum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"

class Order:
    id: int
    customer_id: int
    total: Decimal

    @property
    def left(self) -> Decimal:
        return self.total - 1

    @property
    def aggregate_id(self) -> int:
        return self.id
"""
USES = """
from services.contracts.orders import Created, Cancelled, MAX

def a(order: Order, state: State):
    publish(Created(order.id, order.total, State.PENDING))
    publish(Cancelled)
"""


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("another member", "+ publish(Created(order.id, order.total, State.APPROVED))"),
        ("another field", "+ publish(Created(order.customer_id, order.total, State.PENDING))"),
        ("another field", "+ publish(Created(order.id, order.left, State.PENDING))"),
        ("another event", "+ publish(Cancelled(order.id, order.total, State.PENDING))"),
    ],
)
def test_names_of_the_same_kind_are_mistaken_for_each_other(rule: str, line: str) -> None:
    found = made(USES, domain=ORDER, contracts=CONTRACTS)
    assert any(mutant.rule == rule and line in changes(mutant, USES) for mutant in found)


def test_a_field_of_another_type_is_not_mistaken_for_it() -> None:
    lines = [line for mutant in made(USES, domain=ORDER) if mutant.rule == "another field" for line in changes(mutant, USES)]
    assert lines
    assert not any("Created(order.total" in line or "order.id, order.id" in line for line in lines)


def test_another_name_for_a_field_is_no_mistake() -> None:
    assert not [line for mutant in made(USES, domain=ORDER) for line in changes(mutant, USES) if "aggregate_id" in line]
