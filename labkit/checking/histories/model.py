"""What a history is made of. Amounts are said in words ("a cent more than is left"), and the books know them when the step is done. So a
history stays meaningful when steps before it are left out."""

from dataclasses import dataclass
from enum import Enum


class Total(Enum):
    """How much an order costs, by what its customer has left when it is placed."""

    A_PART = "a part of what is left"
    ALL = "all that is left"
    A_CENT_MORE = "a cent more than is left"
    ALIKE = "the same as the order before"
    OVER_THE_LIMIT = "a cent more than the limit"
    A_CENT = "one cent"


class Refused(Enum):
    """A request that must be refused, and change nothing."""

    NO_TOTAL = "an order over 0.00"
    HALF_A_CENT = "an order with half a cent"
    CUSTOMER_0 = "an order of customer 0"
    NO_NAME = "a customer without a name"
    LONG_NAME = "a customer whose name has 256 characters"
    DEBT = "a customer with a negative limit"
    NO_LIMIT = "a customer without a limit"
    CANCEL_UNKNOWN = "cancelling an unknown order"
    CANCEL_NO_ID = "cancelling order abc"


@dataclass(frozen=True)
class Person:
    """A customer of the history. `name` is "" for one that no service knows."""

    name: str
    limit: str


# What people do. `who` is the number of the person, `which` the number of one of its orders; both count from 0.


@dataclass(frozen=True)
class PlaceOrder:
    who: int
    total: Total


@dataclass(frozen=True)
class CancelOrder:
    """`times`: so many requests at once, of which one may succeed."""

    who: int
    which: int
    times: int = 1


@dataclass(frozen=True)
class AskForTheImpossible:
    who: int
    what: Refused


# What is done to the system meanwhile. Each of these heals its faults before the next step.


@dataclass(frozen=True)
class PlaceWhileDown:
    """A component is stopped, orders are placed that do not depend on each other, and the component is started again."""

    who: int
    component: str
    count: int


@dataclass(frozen=True)
class PlaceWhilePaused:
    """A component is paused: connections to it are accepted, and nobody answers. No other service may have one."""

    who: int
    component: str


@dataclass(frozen=True)
class PlaceTogether:
    """Orders wait before the Customer service, and are taken in one poll: as one batch, or one by one."""

    who: int
    count: int
    one_by_one: bool


@dataclass(frozen=True)
class CrashWhilePlacing:
    """The component ends at a failpoint while it works on an order, and is started again."""

    who: int
    component: str
    point: str


@dataclass(frozen=True)
class CancelWhilePending:
    """The answer about an order's credit is held before the Order service, and somebody cancels the order. `under_way`: at the moment
    when the answer is let go."""

    who: int
    under_way: bool


@dataclass(frozen=True)
class EventsAgain:
    """All events of an order are published once more. `after_restart`: of this component, "" for none."""

    who: int
    which: int
    after_restart: str = ""


@dataclass(frozen=True)
class MeetBetweenReadAndWrite:
    """Two handlers of the Customer service, with an order of the same customer each, meet between reading and writing if they can."""

    who: int


@dataclass(frozen=True)
class DatabaseFails:
    """The database fails the person's requests, one of each kind."""

    who: int


Step = (
    PlaceOrder
    | CancelOrder
    | AskForTheImpossible
    | PlaceWhileDown
    | PlaceWhilePaused
    | PlaceTogether
    | CrashWhilePlacing
    | CancelWhilePending
    | EventsAgain
    | MeetBetweenReadAndWrite
    | DatabaseFails
)


@dataclass(frozen=True)
class History:
    """What these people do. Each does its own steps in order. `at_once`: they do so at the same time, otherwise one step follows the
    other."""

    seed: int
    people: tuple[Person, ...]
    steps: tuple[Step, ...]
    at_once: bool = False


def said(step: Step) -> str:
    """Say a step in words."""
    match step:
        case PlaceOrder():
            return f"order {step.total.value}"
        case CancelOrder(times=1):
            return f"cancel order number {step.which + 1}"
        case CancelOrder():
            return f"cancel order number {step.which + 1} by {step.times} requests at once"
        case AskForTheImpossible():
            return f"try {step.what.value}"
        case PlaceWhileDown():
            return f"place {step.count} orders while {step.component} is down"
        case PlaceWhilePaused():
            return f"order while {step.component} is paused"
        case PlaceTogether():
            return f"place {step.count} orders that customers takes {'one by one' if step.one_by_one else 'as one batch'}"
        case CrashWhilePlacing():
            return f"order while {step.component} ends at {step.point}"
        case CancelWhilePending():
            return "cancel an order at the moment when it is approved" if step.under_way else "cancel an order while it is PENDING"
        case EventsAgain(after_restart=""):
            return f"all events of order number {step.which + 1} come again"
        case EventsAgain():
            return f"{step.after_restart} is started again, and all events of order number {step.which + 1} come again"
        case DatabaseFails():
            return "the database fails the requests"
        case MeetBetweenReadAndWrite():
            return "two handlers meet, with an order of the same customer each"
