"""The words that invariants share: the names in this run, and facts about limits, answers and commits.

The names of messages, tables and servers come from the evidence, which has them from the profile.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from labkit.system import messaging
from labkit.trace.tables import EvidenceTables

SHOWN = 5  # things of one kind in a sentence or a list of facts

Facts = list[tuple[str, str]]
"""(fact, its source)"""


# names


def joined(parts: Sequence[str]) -> str:
    """Return `a, b and c`; only the first few of a long list."""
    if len(parts) > SHOWN:
        parts = [*parts[: SHOWN - 1], f"{len(parts) - SHOWN + 1} more"]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "nothing"


def at(place: str, commit: str | None) -> str:
    return f"{place}, {commit}" if commit else place


def order_words(order_id: int | None, total: Any = None) -> str:
    """Return `order 17 (12.34)`."""
    if order_id is None:
        return "an order"
    return f"order {order_id} ({total})" if total is not None else f"order {order_id}"


def table(tables: EvidenceTables, name: str) -> str:
    """Return the place of a table that the evidence holds under this name: `SCHEMA.TABLE`."""
    return tables.system.sources.get(name, name)


def outbox(schema: str) -> str:
    return f"{schema}.{messaging.OUTBOX}"


def inbox(schema: str) -> str:
    return f"{schema}.{messaging.INBOX}"


def outboxes(tables: EvidenceTables) -> str:
    """Return all outboxes as one place."""
    return ", ".join(outbox(schema) for schema in sorted({each.schema for each in tables.system.types if each.schema}))


def broker(tables: EvidenceTables) -> str:
    """Return the name of the server that carries the messages."""
    return tables.system.broker


def view_store(tables: EvidenceTables) -> str:
    """Return the name of the server that holds the view."""
    return tables.system.title("view")


def component(tables: EvidenceTables, schema: str | None) -> str | None:
    """Return the component that owns a schema."""
    return tables.system.component(schema)


def subscriber_of(tables: EvidenceTables, subscriber: str) -> tuple[str, str]:
    """Return (component, the store that records what it has taken) for a subscriber."""
    found = tables.system.subscribers.get(subscriber)
    return (found.component, found.store) if found else (subscriber, subscriber)


# messages


def kind(tables: EvidenceTables, event: str | None) -> str:
    """Return event, command or reply."""
    found = tables.system.type_of(event)
    return found.kind if found else "event"


def message_words(tables: EvidenceTables, event: str | None) -> str:
    """Return the name of an event, else `the command NAME` or `the reply NAME`."""
    if event is None:
        return "a message of no known type"
    known = kind(tables, event)
    return event if known == "event" else f"the {known} {event}"


def announcing(tables: EvidenceTables, change: str) -> str:
    """Return the message that announces a change such as `order stored`."""
    found = tables.system.announcing(change)
    return found.event if found else "the message that announces it"


def answering(tables: EvidenceTables, answer: str) -> str:
    """Return the message that carries an answer: granted, refused, unknown customer."""
    return next((each.event for each in tables.system.types if each.answers == answer), answer)


def request(tables: EvidenceTables) -> str:
    """Return the message that asks for an answer about an order's credit."""
    found = tables.system.reaction("answer")
    return found.event if found else "the message that asks for it"


def answer_kind(tables: EvidenceTables) -> str:
    """Return the kind of message that carries an answer: `answer` for an event, `reply` for a reply to a command."""
    return "reply" if kind(tables, answering(tables, "granted")) == "reply" else "answer"


def answered(tables: EvidenceTables) -> str:
    return {"reply": "replied"}.get(answer_kind(tables), "answered")


def decider(tables: EvidenceTables) -> str:
    """Return the component that decides an order."""
    found = tables.system.reaction("decision")
    who = found.subscriber.component if found else "its service"
    return f"the saga of {who}" if answer_kind(tables) == "reply" else who


# facts


def limit(tables: EvidenceTables, customer_id: int | None) -> Facts:
    row = tables.row("SELECT credit_limit FROM all_customers WHERE id = ?", customer_id)
    return [(f"{tables.customer(customer_id)} may spend {row[0]}", table(tables, "customers"))] if row else []


def became(tables: EvidenceTables, order_id: int, state: str | None) -> tuple[str, str]:
    found = tables.row(
        "SELECT commit_no FROM order_steps WHERE order_id = ? AND state_after = ? AND state_before IS DISTINCT "
        "FROM state_after ORDER BY commit_no DESC",
        *(order_id, state),
    )
    return f"order {order_id} became {state}", at(table(tables, "orders"), tables.commit(found[0]) if found else None)


def has_answer(tables: EvidenceTables, order_id: int, answer: str) -> bool:
    wanted = answering(tables, answer)
    return any(m.event == wanted for m in tables.messages(order_id))


def answers(tables: EvidenceTables, order_id: int) -> Facts:
    """Return what customers answered about an order's credit."""
    senders = {each.event: (each.sender, each.schema or "") for each in tables.system.types if each.answers}
    verb = answered(tables)
    found = [
        (f"{senders[m.event][0]} {verb} {m.event}", m.first.place if m.first else at(outbox(senders[m.event][1]), m.commit))
        for m in tables.messages(order_id)
        if m.event in senders
    ]
    return found or [(f"{sender} {verb} nothing", outbox(schema)) for sender, schema in sorted(set(senders.values()))]


# names that every template may use


def common(tables: EvidenceTables, row: Mapping[str, Any]) -> "Words":
    """Return the fields of a template that are available for every violation.

    They are the columns of the violation's row, and: order, customer, subject (the order or customer that the message is about), event,
    sender, broker, request, answer_kind (answer, reply), answered, decider.
    """
    order_id, customer_id = row.get("order_id"), row.get("customer_id")
    total = row.get("total")
    if total is None and order_id is not None:
        found = tables.row("SELECT total FROM all_orders WHERE id = ?", order_id)
        total = found[0] if found else None
    order, customer = order_words(order_id, total), tables.customer(customer_id)
    about = row.get("about") or tables.system.keys.get(row.get("channel") or "")
    subject = customer if about == "customer" and customer_id is not None else order if order_id is not None else "an unknown subject"
    return Words(
        {
            "request": message_words(tables, request(tables)),
            "broker": broker(tables),
            "answer_kind": answer_kind(tables),
            "answered": answered(tables),
            "decider": decider(tables),
            **{name: _plain(value) for name, value in row.items()},
            "order": order,
            "customer": customer,
            "subject": subject,
            "event": message_words(tables, row.get("event")),
            "sender": component(tables, row.get("schema_name")) or "its service",
        }
    )


class Words(dict[str, Any]):
    """Fields for templates. A name with a capital returns its text with a capital."""

    def __missing__(self, name: str) -> str:
        if name[0].isupper():
            text = str(self[name.lower()])
            return text[0].upper() + text[1:]
        return f"({name}?)"


def _plain(value: Any) -> Any:
    """Format a value; amounts always show their cents."""
    return value.quantize(Decimal("0.01")) if isinstance(value, Decimal) else value
