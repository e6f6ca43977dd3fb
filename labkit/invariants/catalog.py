"""The invariants in words: what each says, what its violations are called, what went wrong and what to do next.

A template's fields are the columns of the violation's row, and beside them: {customer} `customer 4 "Ada"`, {order} `order 17 (12.34)`,
and both with a capital.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

TRACE_ORDER = "labkit trace order {order_id}"
TRACE_CUSTOMER = "labkit trace customer {customer_id}"
TRACE_MESSAGE = "labkit trace message {message_id}"


@dataclass(frozen=True)
class Anomaly:
    """One way to violate an invariant: the witness as a sentence, the step that went wrong, and a command."""

    witness: str
    so: str
    next: str = TRACE_ORDER


@dataclass(frozen=True)
class Invariant:
    """`needs`: sources without which nothing can be said. `wants`: sources without which a violation can be found, but not excluded.
    `rests_on`: kinds of violations that count only where a source that is not needed otherwise is complete: what looks like one may come of
    what is missing.
    `at_rest`: it holds only when nothing is under way. `profile`: choreography, orchestration or any."""

    id: str
    name: str
    sentence: str
    file: str
    needs: tuple[str, ...]
    anomalies: Mapping[str, Anomaly]
    wants: tuple[str, ...] = ()
    at_rest: bool = False
    profile: str = "any"
    over_time: bool = False
    rests_on: Mapping[str, frozenset[str]] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    """Kinds by which something is only missing yet: what a machine that was disturbed may explain."""


I1 = Invariant(
    "I1",
    "Credit limit",
    "What is reserved of a customer's credit never adds up to more than the customer's limit.",
    "i1_credit_limit.sql",
    needs=("tables",),
    wants=("binlog",),
    over_time=True,
    rests_on={"binlog": frozenset({"over"})},
    anomalies={
        "over": Anomaly(
            "{Customer} may spend {credit_limit}, and {reserved} was reserved at once: {held}{ended}.",
            "customers reserved credit for {last_order} when only {left} was free: it decided without counting what was reserved already.",
            "labkit trace order {last_order_id}",
        ),
        "over_now": Anomaly(
            "{Customer} may spend {credit_limit}, and {reserved} is reserved: {held}.",
            "customers reserved credit without counting what was reserved already.",
            TRACE_CUSTOMER,
        ),
    },
)

I2 = Invariant(
    "I2",
    "Agreement",
    "An order is APPROVED exactly when its customer holds one reservation of the same amount for it.",
    "i2_agreement.sql",
    needs=("tables",),
    at_rest=True,
    anomalies={
        "kept": Anomaly(
            "{Customer} may spend {credit_limit}. {Order} is {state}, but {reserved} is still reserved for it: {available} is available, "
            "{should_be} should be.",
            "",
        ),
        "not_held": Anomaly("{Order} of {customer} is APPROVED, but no credit is reserved for it.", ""),
        "twice": Anomaly(
            "{Order} of {customer} is APPROVED, and credit is reserved for it {holders} times, {reserved} in all: {held}.",
            "credit for one order was reserved more than once: which message led to the second reservation?",
        ),
        "wrong_customer": Anomaly(
            "{Order} of {customer} is APPROVED, but it is {holder_name} whose credit is reserved for it ({reserved}).",
            "customers reserved the credit of another customer than the one that OrderCreated names.",
        ),
        "wrong_amount": Anomaly(
            "{Order} of {customer} is APPROVED, but {reserved} is reserved for it, not {total}.",
            "customers reserved another amount than the total that OrderCreated names.",
        ),
        "no_order": Anomaly(
            "{Customer} holds {reserved} for order {order_id}, and there is no such order.",
            "credit was reserved for an order that does not exist: was OrderCreated sent before the order was committed?",
        ),
    },
)

I3 = Invariant(
    "I3",
    "Progress",
    "Every order that was accepted is there once, as it was asked for, and comes to an end.",
    "i3_progress.sql",
    needs=("tables",),
    at_rest=True,
    missing=frozenset({"pending", "saga_open"}),
    anomalies={
        "pending": Anomaly("{Order} of {customer} is still {state}, and no message is left that could move it.", ""),
        "saga_open": Anomaly(
            "The saga {saga} of order {order_id} is still in {state}, and no message is left that could move it.",
            "the orchestrator waits for a reply that will not come.",
        ),
        "lost": Anomaly(
            "{Order} of {customer} was accepted with 200, and there is no such order.",
            "orders answered before the order was committed.",
        ),
        "altered": Anomaly(
            "Order {order_id} was placed for {customer} with a total of {total}, and orders holds it for customer {other_id} with {state}.",
            "orders stored something else than what it was asked for.",
        ),
        "twice": Anomaly(
            "{Customer} placed one order for {total}, and orders holds more than one: {order_id} and {other_id}.",
            "one request was carried out more than once: who sent it again?",
        ),
        "refused_but_there": Anomaly(
            "An order of {customer} for {total} was refused, and orders holds it all the same, as order {order_id}.",
            "orders refused a request after it had stored it.",
        ),
        "not_cancelled": Anomaly(
            "Cancelling {order} was accepted with 200, and the order is {state}.",
            "orders answered before the cancelling was committed, or something changed the order afterwards.",
        ),
        "cancelled_unasked": Anomaly(
            "{Order} of {customer} is CANCELLED, and nobody asked for that.", "orders cancelled an order without a request."
        ),
    },
)

I4 = Invariant(
    "I4",
    "Outbox and broker",
    "Every message of an outbox is in Kafka at least once, and every message in Kafka comes from an outbox.",
    "i4_outbox.sql",
    needs=("tables", "records"),
    at_rest=True,
    rests_on={"binlog": frozenset({"stranger", "elsewhere"})},
    missing=frozenset({"unpublished"}),
    anomalies={
        "unpublished": Anomaly(
            "{event} of {subject} is in the outbox of {sender}, and Kafka never got it.",
            "the relay did not publish this row{marked}.",
            TRACE_MESSAGE,
        ),
        "stranger": Anomaly(
            "Kafka holds {event} of {subject} ({channel}, partition {partition_no}, offset {offset_no}), and no outbox does.",
            "something published to Kafka past the outbox: the message was not part of any transaction.",
            TRACE_MESSAGE,
        ),
        "elsewhere": Anomaly(
            "{event} of {subject} was published on the topic {channel}, which is not the one that its outbox row names.",
            "the relay took another topic than the row's destination.",
            TRACE_MESSAGE,
        ),
        "no_message": Anomaly(
            "Kafka holds a record that is not a message at all ({channel}, partition {partition_no}, offset "
            "{offset_no}), and labkit did not plant it.",
            "something wrote to the topic {channel} past the outbox.",
            "labkit topics --by-key",
        ),
    },
)

I5 = Invariant(
    "I5",
    "Order per aggregate",
    "The messages of one order, or of one customer, stand in Kafka in the order in which they were committed.",
    "i5_order.sql",
    needs=("binlog", "records"),
    over_time=True,
    anomalies={
        "two_partitions": Anomaly(
            "The messages of {subject} stand in two partitions of {channel}: {before_event} in "
            "{before_partition}, {event} in {partition_no}.",
            "{event} was published with the key {key!r} and {before_event} with {before_key!r}: only messages "
            "with one key keep their order, and {aggregate_id} should be the key of both.",
            TRACE_MESSAGE,
        ),
        "overtaken": Anomaly(
            "{event} of {subject} was committed after {before_event}, and stands before it in Kafka: {channel}, partition {partition_no}, "
            "offset {offset_no} before {before_offset}.",
            "the relay published {event} first: it must take the rows of one aggregate in the order of their commits.",
            TRACE_MESSAGE,
        ),
    },
)

I6 = Invariant(
    "I6",
    "Effect once",
    "Each message has its effect exactly once, in the transaction that notes it as received.",
    "i6_effect_once.sql",
    needs=("tables", "binlog", "records"),
    at_rest=True,
    over_time=True,
    missing=frozenset({"never_taken"}),
    anomalies={
        "never_taken": Anomaly(
            "{event} of {order} is in Kafka, and {service} neither took it nor parked it.",
            "{service} went past {event} without doing anything: was the offset committed before the work was?",
        ),
        "twice": Anomaly(
            "{event} of {order} came once and had its effect {effects} times: {effect_words}.",
            "{service} took the message again when it was delivered again: its id is not noted in the transaction of its effect.",
        ),
        "no_effect": Anomaly(
            "{service} noted {event} of {order} as received, and nothing came of it: {effect_words} is missing.",
            "{service} committed the inbox row and not the effect: they belong in one transaction, and a "
            "handler must be there for {event}.",
        ),
        "effect_outside": Anomaly(
            "{service} reacted to {event} of {order} in a transaction that does not note the message as received.",
            "inbox row and effect are in different transactions: a crash between them loses the effect or repeats it.",
        ),
    },
)

I7 = Invariant(
    "I7",
    "View",
    "The order history shows each customer as the owners' tables hold them.",
    "i7_view.sql",
    needs=("tables", "view"),
    at_rest=True,
    missing=frozenset({"no_view", "no_order", "state"}),
    anomalies={
        "no_view": Anomaly("The order history does not know {customer}.", "order-history wrote no view for this customer.", TRACE_CUSTOMER),
        "extra_view": Anomaly(
            "The order history shows {customer}, whom neither customers nor orders knows.",
            "the view was not built from events of this run: is it a leftover?",
            TRACE_CUSTOMER,
        ),
        "not_listed": Anomaly(
            "The view of {customer} is not in the list of all views.", "order-history wrote the view and not its list.", TRACE_CUSTOMER
        ),
        "name": Anomaly(
            "The order history calls {customer} {found!r}; the name is {expected!r}.",
            "order-history took the name from something else than CustomerCreated.",
            TRACE_CUSTOMER,
        ),
        "limit": Anomaly(
            "The order history shows a limit of {found} for {customer}; it is {expected}.",
            "order-history took the limit from something else than CustomerCreated.",
            TRACE_CUSTOMER,
        ),
        "no_order": Anomaly("The order history of {customer} does not show {order}, which is {expected}.", ""),
        "extra_order": Anomaly(
            "The order history of {customer} shows order {order_id}, and the customer has no such order.",
            "order-history put the order into the view of the wrong customer, or kept it when the stores were emptied.",
            TRACE_CUSTOMER,
        ),
        "state": Anomaly("The order history of {customer} shows {order} as {found}; it is {expected}.", ""),
        "total": Anomaly(
            "The order history of {customer} shows a total of {found} for order {order_id}; it is {expected}.",
            "order-history took the total from something else than the order's events.",
        ),
    },
)

I8 = Invariant(
    "I8",
    "Legal transitions",
    "An order is born PENDING, becomes APPROVED or REJECTED once, and only an APPROVED one becomes CANCELLED.",
    "i8_transitions.sql",
    needs=("binlog",),
    over_time=True,
    anomalies={
        "illegal": Anomaly(
            "{Order} of {customer} went from {state_before} to {state_after}, and that way does not exist.",
            "orders wrote the new state without looking at the old one.",
        ),
        "born": Anomaly(
            "{Order} of {customer} was stored as {state_after}; every order is born PENDING.",
            "orders decided about an order before customers had answered.",
        ),
        "removed": Anomaly(
            "{Order} of {customer} was {state_before}, and its row was deleted.", "an order ends in a state; its row stays."
        ),
    },
)

I9 = Invariant(
    "I9",
    "Saga and order agree",
    "When a saga has ended its order has too, and it ran backwards exactly when the order is REJECTED.",
    "i9_saga.sql",
    needs=("tables",),
    at_rest=True,
    profile="orchestration",
    anomalies={
        "failed": Anomaly(
            "The saga {saga_id} of {order} ended in an error.", "a compensation failed, or a reply came that no step expects."
        ),
        "no_order": Anomaly(
            "The saga {saga_id} has ended for order {order_id}, and there is no such order.", "the saga was created without its order."
        ),
        "ended_too_early": Anomaly(
            "The saga {saga_id} has ended, and {order} is still PENDING.", "the last step of the saga does not end the order."
        ),
        "compensated_but_approved": Anomaly(
            "The saga {saga_id} ran backwards, and {order} is {state}.", "the compensation does not reject the order."
        ),
        "rejected_uncompensated": Anomaly(
            "The saga {saga_id} ended without running backwards, and {order} is REJECTED.", "a refusal was not taken for one."
        ),
    },
)

I10 = Invariant(
    "I10",
    "Rolled-back work leaves no trace",
    "Every message is about an order or a customer that exists.",
    "i10_no_trace.sql",
    needs=("tables", "records"),
    at_rest=True,
    rests_on={"binlog": frozenset({"no_order", "no_customer"})},
    anomalies={
        "no_order": Anomaly(
            "{event} tells of order {order_id} ({where}), and there is no such order.",
            "the event was sent before the order was committed, and the order was rolled back: event and order belong in one transaction.",
            TRACE_MESSAGE,
        ),
        "no_customer": Anomaly(
            "{event} tells of customer {customer_id} ({where}), and there is no such customer.",
            "the event was sent before the customer was committed, and the customer was rolled back: event and "
            "customer belong in one transaction.",
            TRACE_MESSAGE,
        ),
    },
)

I11 = Invariant(
    "I11",
    "Right answer, right cause",
    "Credit is granted when it is there and refused when it is not, and an order leaves PENDING because of that answer.",
    "i11_right_answer.sql",
    needs=("binlog",),
    over_time=True,
    anomalies={
        "refused_though_free": Anomaly(
            "{Order} of {customer} was refused for lack of credit, and there was enough: {free} of {credit_limit} was free{beside}.",
            "customers answered {answer} where CustomerCreditReserved is right: how does it compare the total with what is free?",
        ),
        "granted_though_short": Anomaly(
            "{Order} of {customer} was granted credit, and there was not enough: only {free} of {credit_limit} was free{beside}.",
            "customers answered {answer} where CustomerCreditReservationFailed is right: does it count what is reserved already?",
        ),
        "unknown_though_there": Anomaly(
            "{Order} was refused because customer {customer_id} does not exist, and {customer} does.",
            "customers answered {answer} about a customer whom it has.",
        ),
        "granted_to_nobody": Anomaly(
            "{Order} was granted the credit of customer {customer_id}, and there is no such customer.",
            "customers answered {answer} where CustomerValidationFailed is right.",
        ),
        "refused_for_nobody": Anomaly(
            "{Order} was refused for lack of credit of customer {customer_id}, and there is no such customer.",
            "customers answered {answer} where CustomerValidationFailed is right.",
        ),
        "no_cause": Anomaly(
            "{Order} of {customer} became {state}{because_of}, and in that transaction orders received no answer of customers about it.",
            "orders decided by itself: an order leaves PENDING only in the transaction that notes the answer as received.",
        ),
        "wrong_cause": Anomaly(
            "{Order} of {customer} became {state}{because_of}, and the answer that orders received was {answer}.",
            "orders turned {answer} into {state}{because_of}: which handler takes {answer}?",
        ),
    },
)

I12 = Invariant(
    "I12",
    "Told once, with the change",
    "An event about an order or a customer is written once, in the transaction of the change that it tells of.",
    "i12_told_once.sql",
    needs=("binlog",),
    over_time=True,
    anomalies={
        "twice": Anomaly(
            "{event} of {subject} was published {messages} times, as {messages} messages, and {what} once.",
            "the messages have ids of their own, so nobody can take the second for a copy of the first: "
            "{sender} must publish {event} once, where it makes the change.",
            TRACE_MESSAGE,
        ),
        "apart": Anomaly(
            "{What} in one transaction, and {event} of {subject} was written in another.",
            "a crash between the two leaves a change of which nobody hears, or tells of one that never was: "
            "the change and the event that tells of it belong in one transaction.",
            TRACE_MESSAGE,
        ),
        "again": Anomaly(
            "{event} of {subject} was published once more, in a transaction that did not change anything of the kind: {what} before.",
            "{sender} publishes {event} without looking whether there is something to tell: it belongs to the change, and to nothing else.",
            TRACE_MESSAGE,
        ),
        "untrue": Anomaly(
            "{event} of {subject} was published, and it is not so: {never}.",
            "{sender} told of a change that it did not make in that transaction, nor in any other.",
            TRACE_MESSAGE,
        ),
    },
)

ALL = (I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12)


def find(invariant_id: str) -> Invariant:
    return next(i for i in ALL if i.id == invariant_id.upper())
