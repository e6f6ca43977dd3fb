"""What each invariant has to add to its violations: names and amounts for the sentence, facts with where they were read, and the
step that went wrong where the evidence shows it (else the catalogue says it).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from labkit.story.handler import handler_words
from labkit.story.model import Story, facts_of
from labkit.story.order import story_of
from labkit.story.tables import Tables

EFFECT_WORDS = {
    "answer": "an answer about the order's credit",
    "release": "the release of the order's credit",
    "decision": "the end of the order",
}
HELD_SHOWN = 5

Facts = list[tuple[str, str]]
Tell = Callable[[Tables, dict[str, Any]], tuple[dict[str, Any], Facts, str]]
RESERVATIONS = "customer_db.customer_credit_reservations"


def _at(table: str, commit: str | None) -> str:
    return f"{table}, {commit}" if commit else table


def _limit(tables: Tables, customer_id: int | None) -> Facts:
    row = tables.row("SELECT credit_limit FROM all_customers WHERE id = ?", customer_id)
    return [(f"{tables.customer(customer_id)} may spend {row[0]}", "customer_db.customer")] if row else []


def _joined(parts: list[str]) -> str:
    if len(parts) > HELD_SHOWN:
        parts = [*parts[: HELD_SHOWN - 1], f"{len(parts) - HELD_SHOWN + 1} more"]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "nothing"


def _i1(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    customer, commit_no = row["customer_id"], row["worst_commit"]
    if commit_no is None:
        held = tables.rows("SELECT order_id, amount, NULL FROM reservations WHERE customer_id = ? ORDER BY order_id", customer)
    else:
        held = tables.rows(
            "SELECT order_id, sum(coalesce(after, 0) - coalesce(before, 0)) AS amount, max(commit_no) AS since FROM reservation_steps"
            " WHERE customer_id = ? AND commit_no <= ? GROUP BY order_id HAVING amount > 0 ORDER BY since, order_id",
            customer,
            commit_no,
        )
    listed = _joined([f"{amount} for order {order}" for order, amount, _ in held])
    facts = _limit(tables, customer)
    shown = held if len(held) <= HELD_SHOWN else held[-HELD_SHOWN:]
    facts += [(f"{amount} was reserved for order {order}", _at(RESERVATIONS, tables.commit(since))) for order, amount, since in shown]
    ended, until = "", row["until_commit"]
    if until is not None:
        freed = tables.rows(
            "SELECT order_id, before - coalesce(after, 0) FROM reservation_steps WHERE customer_id = ? AND "
            "commit_no = ? AND before IS NOT NULL ORDER BY order_id",
            *(customer, until),
        )
        ended = ", until a later commit put it right"
        facts += [(f"{amount} of order {order} was released", _at(RESERVATIONS, tables.commit(until))) for order, amount in freed]
    last_order, last_amount, _ = held[-1] if held else (None, Decimal(0), None)
    left = max(row["credit_limit"] - (row["reserved"] - last_amount), Decimal(0))
    fields = {
        "held": listed,
        "ended": ended,
        "last_order": f"order {last_order} ({last_amount})",
        "last_order_id": last_order,
        "left": left,
    }
    return fields, facts, ""


def _i2(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    order_id, kind = row["order_id"], row["kind"]
    held = tables.rows("SELECT customer_id, amount FROM reservations WHERE order_id = ? ORDER BY customer_id", order_id)
    holder = row["holder"] if kind == "kept" else row["customer_id"]
    credit = tables.row(
        "SELECT c.credit_limit, (SELECT coalesce(sum(amount), 0) FROM reservations WHERE customer_id = c.id),"
        " (SELECT coalesce(sum(total), 0) FROM all_orders WHERE customer_id = c.id AND state = 'APPROVED')"
        " FROM all_customers c WHERE c.id = ?",
        holder,
    ) or (Decimal(0), Decimal(0), Decimal(0))
    limit, reserved, approved = credit
    fields = {
        "credit_limit": limit,
        "available": limit - reserved,
        "should_be": limit - approved,  # others may be held wrongly too
        "holder_name": tables.customer(row["holder"]),
        "held": _joined([f"{amount} of {tables.customer(customer)}" for customer, amount in held]),
    }
    if kind == "kept":
        fields["customer"] = tables.customer(row["holder"])
    reservations = [
        (f"{amount} is reserved of the credit of {tables.customer(c)} for order {order_id}", RESERVATIONS) for c, amount in held
    ]
    if kind == "no_order":
        return fields, [*reservations, (f"there is no order {order_id}", "order_db.orders")], ""
    story = story_of_own(tables, order_id)
    if kind == "kept" and row["state"] == "CANCELLED":
        hops = [h for h in story.of("OrderCancelled") if h.key != "outbox"]
        return fields, list(facts_of(hops)) or reservations, story.diagnosis.text if story.diagnosis else ""
    if kind == "kept":
        so = _cross_question(tables, order_id, str(row["state"]))
        return fields, [_became(tables, order_id, row["state"]), *_answers(tables, order_id), *reservations], so
    if kind == "not_held":
        gone = tables.rows(
            "SELECT before, commit_no FROM reservation_steps WHERE order_id = ? AND before IS NOT NULL AND "
            "after IS NULL ORDER BY commit_no",
            order_id,
        )
        facts = [_became(tables, order_id, "APPROVED"), *_answers(tables, order_id)]
        if gone:
            facts.append((f"the reservation of {gone[-1][0]} was removed", _at(RESERVATIONS, tables.commit(gone[-1][1]))))
            return fields, facts, "credit was released for an order that is still APPROVED."
        facts.append((f"no credit is reserved for order {order_id}", RESERVATIONS))
        so = (
            "customers answered that credit was reserved, and did not reserve it."
            if _has_answer(tables, order_id, "CustomerCreditReserved")
            else ("orders approved the order, though customers never said that credit was reserved.")
        )
        return fields, facts, so
    return fields, [_became(tables, order_id, "APPROVED"), *reservations], ""


def story_of_own(tables: Tables, order_id: int) -> Story:
    return story_of(tables.connection, order_id)


def _cross_question(tables: Tables, order_id: int, state: str) -> str:
    if _has_answer(tables, order_id, "CustomerCreditReserved") and not _has_answer(tables, order_id, "CustomerCreditReservationFailed"):
        return f"customers reserved credit and said so, and orders made the order {state} all the same, or had done so before."
    if _has_answer(tables, order_id, "CustomerCreditReserved"):
        return "customers answered twice, and both answers differ: the order was looked at twice."
    return "customers reserved credit for an order that it refused."


def _has_answer(tables: Tables, order_id: int, event: str) -> bool:
    return any(m.event == event for m in tables.messages(order_id))


def _answers(tables: Tables, order_id: int) -> Facts:
    return [
        (f"customers answered {m.event}", m.first.place if m.first else _at("customer_db.message", m.commit))
        for m in tables.messages(order_id)
        if m.channel == "Customer" and m.event.startswith("Customer")
    ] or [("customers answered nothing", "customer_db.message")]


def _became(tables: Tables, order_id: int, state: str | None) -> tuple[str, str]:
    found = tables.row(
        "SELECT commit_no FROM order_steps WHERE order_id = ? AND state_after = ? AND state_before IS DISTINCT "
        "FROM state_after ORDER BY commit_no DESC",
        *(order_id, state),
    )
    return f"order {order_id} became {state}", _at("order_db.orders", tables.commit(found[0]) if found else None)


def _i3(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    kind, order_id = row["kind"], row["order_id"]
    asked: Facts = []
    if row["request_id"] is not None:
        request = tables.row("SELECT method, path, status, outcome FROM requests WHERE id = ?", row["request_id"])
        if request:
            method, path, status, outcome = request
            words = {"ok": f"was answered with {status}", "refused": f"was refused with {status}"}.get(outcome, "got no answer")
            asked = [
                (
                    f"{method} {path} for {row['total']} for customer {row['customer_id']} {words}",
                    f"request {row['request_id']} of the scenario",
                )
            ]
    if kind == "pending":
        story = story_of_own(tables, order_id)
        hops = [hop for hop in story.hops if hop.key not in ("view", "outbox")]
        missing = [hop for hop in story.hops if hop.mark.value == "✗" and hop.key == "outbox"]
        so = story.diagnosis.text if story.diagnosis else "nobody reacts to what was said about this order."
        return {}, list(facts_of([*hops, *missing])), so
    if kind == "saga_open":
        return {}, [(f"the saga {row['saga']} of order {order_id} is in {row['state']}", "saga_instance")], ""
    if kind == "lost":
        return {}, [*asked, (f"there is no order {order_id}", "order_db.orders")], ""
    if kind == "altered":
        return {}, [*asked, (f"order {order_id} is there for customer {row['other_id']} for {row['state']}", "order_db.orders")], ""
    if kind == "twice":
        found = tables.rows("SELECT id FROM all_orders WHERE customer_id = ? AND total = ? ORDER BY id", row["customer_id"], row["total"])
        return (
            {},
            [*asked, *((f"order {o} is there for customer {row['customer_id']} for {row['total']}", "order_db.orders") for (o,) in found)],
            "",
        )
    if kind in ("not_cancelled", "cancelled_unasked"):
        cancel = tables.row(
            "SELECT method, path, status FROM requests WHERE operation = 'cancel_order' AND order_id = ? AND outcome = 'ok'", order_id
        )
        called = (
            f"{cancel[0]} {cancel[1]} was answered with {cancel[2]}" if cancel else f"the scenario sent no POST /orders/{order_id}/cancel"
        )
        return {}, [(called, "the scenario's requests"), _became(tables, order_id, row["state"])], ""
    return {}, [*asked, (f"order {order_id} is there", "order_db.orders")], ""


def _i4(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    message_id, kind = row["message_id"], row["kind"]
    place = f"{row['channel']}, partition {row['partition_no']}, offset {row['offset_no']}"
    if kind == "unpublished":
        message = tables.message(message_id)
        mark = "the row is marked as published" if row["published"] else "the row is not marked as published"
        marked = ", though it marked it as published: it must wait for the broker's acknowledgement first" if row["published"] else ""
        return (
            {"marked": marked},
            [
                (
                    f"{row['event'] or 'the message'} {message_id} was written",
                    _at(f"{row['schema_name']}.message", message.commit if message else None),
                ),
                (mark, f"{row['schema_name']}.message"),
                ("no record carries its id", f"Kafka's topic {row['channel']}"),
            ],
            "",
        )
    if kind == "no_message":
        return {}, [("the record has no message id", place)], ""
    facts = [(f"{row['event'] or 'a message'} {message_id} is in Kafka", place)]
    if kind == "stranger":
        facts.append((f"no outbox row has the id {message_id}", "customer_db.message, order_db.message"))
    return {}, facts, ""


def _i5(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    told = {m.id: m for m in (tables.message(row["before_id"]), tables.message(row["message_id"])) if m}
    facts = []
    for message_id, event, partition, offset, key in (
        (row["before_id"], row["before_event"], row["before_partition"], row["before_offset"], row["before_key"]),
        (row["message_id"], row["event"], row["partition_no"], row["offset_no"], row["key"]),
    ):
        commit = told[message_id].commit if message_id in told else None
        facts.append((f"{event} was committed", _at("its outbox", commit)))
        facts.append((f"{event} was published with key {key}", f"{row['channel']}, partition {partition}, offset {offset}"))
    return {}, facts, ""


def _i6(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    subscriber = row["subscriber"]
    taker = tables.system.subscribers[subscriber]
    schema, service = taker.store, taker.component
    message = tables.message(row["message_id"])
    facts: Facts = []
    if message and message.first:
        copies = f", {len(message.copies)} times" if len(message.copies) > 1 else ""
        facts.append((f"{row['event']} was published{copies}", ", ".join(copy.place for copy in message.copies[:HELD_SHOWN])))
    received = row["received_commit"]
    facts.append(
        (f"{service} noted it as received", _at(f"{schema}.received_messages, {subscriber}", tables.commit(received)))
        if received is not None
        else (f"{service} never noted it as received", f"{schema}.received_messages, {subscriber}")
    )
    table = {"answer": "customer_db.message", "release": RESERVATIONS, "decision": "order_db.orders"}[row["effect"]]
    words = EFFECT_WORDS[row["effect"]]
    names = _answer_names(tables, row)
    for index, commit in enumerate((row["effect_commits"] or [])[:HELD_SHOWN]):
        name = names[index] if index < len(names) else words
        facts.append((f"{name} was committed", _at(table, tables.commit(commit))))
    if not row["effect_commits"]:
        facts.append((f"there is no {words.removeprefix('an ').removeprefix('the ')}", table))
    shown = " and ".join(names) if row["kind"] == "twice" and names else words
    who = handler_words(tables, service, row["event"], row["message_id"]) if row["kind"] == "no_effect" else "?"
    so = "" if who.endswith("?") else f"{service} committed the inbox row and not the effect: {who}"
    return {"service": service, "effect_words": shown}, facts, so


def _answer_names(tables: Tables, row: dict[str, Any]) -> list[str]:
    if row["effect"] != "answer":
        return []
    return [
        str(e)
        for (e,) in tables.rows(
            "SELECT event FROM outbox_inserts WHERE order_id = ? AND event IN ('CustomerCreditReserved', 'CustomerCreditReservationFailed',"
            " 'CustomerValidationFailed') ORDER BY commit_no, change_no",
            row["order_id"],
        )
    ]


def _i7(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    customer_id, order_id, kind = row["customer_id"], row["order_id"], row["kind"]
    key = f"Redis, customerview:{customer_id}"
    if order_id is None or kind in ("extra_order", "total"):
        owner = "order_db.orders" if order_id is not None else "customer_db.customer"
        return {}, [(f"the owner holds {row['expected']}", owner), (f"the view holds {row['found']}", key)], ""
    story = story_of_own(tables, order_id)
    state = {"PENDING": "OrderCreated", "APPROVED": "OrderApproved", "REJECTED": "OrderRejected", "CANCELLED": "OrderCancelled"}.get(
        row["expected"], "OrderCreated"
    )
    hops = [h for h in story.of(state) if h.key in ("state", "broker", "relay")] or [h for h in story.hops if h.key == "row"]
    facts = [*facts_of(hops), (f"the view holds {row['found']} for order {order_id}", key)]
    view = [h for h in story.hops if h.key == "view" and h.mark.value == "✗"]
    return {}, facts, story.diagnosis.text if story.diagnosis and view else f"order-history does not show what {state} says."


def _i8(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    steps = tables.rows(
        "SELECT commit_no, state_before, state_after FROM order_steps WHERE order_id = ? AND state_before IS "
        "DISTINCT FROM state_after ORDER BY commit_no, change_no",
        row["order_id"],
    )
    facts = [
        (
            f"order {row['order_id']} was {before}" if after is None else f"order {row['order_id']} became {after}",
            _at("order_db.orders", tables.commit(c)),
        )
        for c, before, after in steps
        if c <= row["commit_no"]
    ]
    cause = tables.rows(
        "SELECT event, subscriber FROM inbox_inserts WHERE commit_no = ? AND order_id = ?", row["commit_no"], row["order_id"]
    )
    facts += [(f"orders received {event} in that transaction", f"order_db.received_messages, {subscriber}") for event, subscriber in cause]
    return {}, facts, ""


def _i9(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    return (
        {},
        [
            (f"the saga {row['saga_id']} is in {row['saga_state']}", f"saga_instance, {row['saga_type']}"),
            (f"order {row['order_id']} is {row['state'] or 'not there'}", "order_db.orders"),
        ],
        "",
    )


def _i10(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    where = (
        f"{row['channel']}, partition {row['partition_no']}, offset {row['offset_no']}" if row["offset_no"] is not None else "in its outbox"
    )
    table = "order_db.orders" if row["kind"] == "no_order" else "customer_db.customer"
    what = f"order {row['order_id']}" if row["kind"] == "no_order" else f"customer {row['customer_id']}"
    held = (
        tables.rows("SELECT customer_id, amount FROM reservations WHERE order_id = ?", row["order_id"]) if row["kind"] == "no_order" else []
    )
    facts = [(f"{row['event']} of {what} is there", where), (f"there is no {what}, now or at any commit", table)]
    facts += [(f"{amount} of the credit of {tables.customer(c)} is reserved for it", RESERVATIONS) for c, amount in held]
    return {"where": where}, facts, ""


def _decider(tables: Tables) -> str:
    """The subscriber that takes the answers."""
    decision = tables.system.reaction("decision")
    assert decision
    return decision.subscriber.name


def _i11(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    commit = tables.commit(row["commit_no"])
    reason = f" {row['reason']}" if row["reason"] else ""
    if row["kind"] in ("no_cause", "wrong_cause"):
        facts = [(f"order {row['order_id']} became {row['state']}{reason}", _at("order_db.orders", commit))]
        got = tables.rows(
            "SELECT event, message_id FROM inbox_inserts WHERE commit_no = ? AND order_id = ?", row["commit_no"], row["order_id"]
        )
        facts += [
            (f"in that transaction orders received {event}", f"order_db.received_messages, {_decider(tables)}") for event, _ in got
        ] or [("that transaction holds no inbox row of an answer about it", "order_db.received_messages")]
        so = ""
        if row["kind"] == "no_cause":
            apart = tables.rows(
                "SELECT event, commit_no FROM inbox_inserts WHERE order_id = ? AND subscriber = ? ORDER BY commit_no",
                row["order_id"],
                _decider(tables),
            )
            facts += [
                (f"orders noted {e} as received in another transaction", _at("order_db.received_messages", tables.commit(c)))
                for e, c in apart
            ]
            if apart:
                so = "orders notes the answer and carries it out in two transactions: a crash between them loses the effect or repeats it."
        return {"because_of": reason}, [*facts, *_answers(tables, row["order_id"])], so
    fields: dict[str, Any] = {"beside": ""}
    if row["answers"] and row["answers"] > 1 and row["granted"]:
        fields["beside"] = f", and {row['granted']} was granted in the same transaction"
    facts = [(f"customers answered {row['answer']}", _at("customer_db.message", commit))]
    if row["credit_limit"] is not None:
        facts.append(
            (f"before it, {row['reserved']} of {row['credit_limit']} was reserved: {row['free']} was free", _at(RESERVATIONS, commit))
        )
    else:
        facts.append((f"before it, there was no customer {row['customer_id']}", _at("customer_db.customer", commit)))
    facts.append((f"order {row['order_id']} asks for {row['total']}", "order_db.orders"))
    return fields, facts, ""


def _i12(tables: Tables, row: dict[str, Any]) -> tuple[dict[str, Any], Facts, str]:
    event, order_id, customer_id = row["event"], row["order_id"], row["customer_id"]
    service, table, never = "orders", "order_db.orders", "there is no such order"
    match event:
        case "CustomerCreated":
            service, table = "customers", "customer_db.customer"
            what, never = f"customer {customer_id} was stored", "there is no such customer"
        case "CustomerCreditReserved":
            service, table, what = "customers", RESERVATIONS, f"credit was reserved for order {order_id}"
        case "OrderCreated":
            what = f"order {order_id} was stored"
        case _:
            state = event.removeprefix("Order").upper()
            what, never = f"order {order_id} became {state}", f"order {order_id} never became {state}"
    told = "customer_db.message" if service == "customers" else "order_db.message"
    changed = [(what, _at(table, tables.commit(row["change_commit"])))] if row["change_commit"] is not None else [(never, table)]
    written = [(f"{event} {an_id} was written", _at(told, tables.commit(row["commit_no"]))) for an_id in row["message_ids"][:HELD_SHOWN]]
    return {"what": what, "never": never, "sender": service}, [*changed, *written], ""


TELL: dict[str, Tell] = {
    "I1": _i1,
    "I2": _i2,
    "I3": _i3,
    "I4": _i4,
    "I5": _i5,
    "I6": _i6,
    "I7": _i7,
    "I8": _i8,
    "I9": _i9,
    "I10": _i10,
    "I11": _i11,
    "I12": _i12,
}
