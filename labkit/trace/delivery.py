"""The part of the path that all messages share: outbox, relay, broker, and the store where the subscriber records them as received."""

from labkit.system import messaging
from labkit.trace.components import complaint, trouble
from labkit.trace.model import Copy, Diagnosis, Message, last_line
from labkit.trace.payload import published_wrongly
from labkit.trace.system import SeenMessageType, Subscriber
from labkit.trace.walk import Walk

RELAY = "relay"


def delivered(walk: Walk, kind: SeenMessageType, message: Message | None, subscriber: Subscriber, rule: str) -> bool:
    """Add the hops of one message through outbox, relay, broker and inbox. Return whether it arrived. `rule` says why it must be sent."""
    event = kind.event
    if walk.stopped and (message is None or subscriber.name not in message.taken):
        walk.wait("outbox" if message is None else "consumer", event=event)
        return False
    if message is None:
        unwritten(walk, kind, f"{kind.sender} wrote no {event}: {rule}.")
        return False
    if message.schema:
        written(walk, kind, message)
    if not published(walk, event, message):
        return subscriber.name in message.taken
    return received(walk, event, message, subscriber)


def outbox(schema: str | None) -> str:
    return f"{schema}.{messaging.OUTBOX}"


def written(walk: Walk, kind: SeenMessageType, message: Message) -> None:
    """Add the hop of a message that is in its outbox."""
    source = outbox(message.schema or kind.schema) + (f", {message.commit}" if message.commit else "")
    more = {"lane": RELAY, "origin": kind.sender, "event": kind.event}
    walk.ok("outbox", f"{kind.event} {message.id}", source, at=message.created, **more)


def unwritten(walk: Walk, kind: SeenMessageType, why: str) -> None:
    """Add the missing hop of a message that should be in an outbox and is in none."""
    diagnosis = Diagnosis(why, f"labkit logs {kind.sender}")
    walk.stop("outbox", f"{kind.event} is in no outbox", outbox(kind.schema), diagnosis, lane=RELAY, origin=kind.sender, event=kind.event)


def published(walk: Walk, event: str, message: Message) -> bool:
    """Add the hop of the broker, with the message's place or the reason why it is missing. Return whether the broker has it."""
    broker = walk.system.broker
    lanes = {"lane": broker, "origin": RELAY, "event": event}
    if message.first:
        if (key := _right_key(walk, message)) is not None:
            _wrongly_keyed(walk, event, message, message.first, key)
            return True
        copies = [c for c in message.copies if not c.planted]
        again = f" and {len(copies) - 1} more" if len(copies) > 1 else ""
        planted = "" if copies else ", planted by labkit"
        walk.ok("broker", f"{message.first.place}{again}{planted}", message.first.place, at=message.first.appended, **lanes)
        return True
    if reason := walk.tables.unread("records"):
        if message.published:
            walk.ok("relay", "marked as published", "the outbox's own mark", lane=RELAY, event=event)
        walk.unread("broker", "records", reason, **lanes)
        return False
    if message.published:
        walk.stop(
            "broker",
            f"{event} is marked as published, and {broker} does not hold it",
            f"{outbox(message.schema)}, {broker}",
            Diagnosis(
                f"{event} was marked as published and is not in {broker}: marked before the broker had acknowledged it, "
                "or deleted from the topic since.",
                f"labkit logs {RELAY}",
            ),
            **lanes,
        )
        return False
    known = trouble(walk.tables, RELAY) or trouble(walk.tables, walk.system.holders["records"])
    unpublished = Diagnosis(f"The relay has not published {event}{complaint(walk.tables, RELAY)}.", f"labkit logs {RELAY}")
    walk.stop(
        "relay", f"{event} waits in the outbox: the relay has not published it", outbox(message.schema), known or unpublished, **lanes
    )
    return False


def _right_key(walk: Walk, message: Message) -> str | None:
    """Return the key that the messages of this aggregate should have, if this message has another key."""
    about = {"order": message.order_id, "customer": message.customer_id}.get(walk.system.keys.get(message.channel, ""))
    if about is None or message.first is None or message.first.planted or message.first.key == str(about):
        return None
    return str(about)


def _wrongly_keyed(walk: Walk, event: str, message: Message, first: Copy, key: str) -> None:
    """Add a hop with a wrong key: the broker has the message in another place than its aggregate's others. The story may still go on."""
    found = f"with the key {first.key!r}" if first.key else "without a key"
    sender = walk.system.component(message.schema) or RELAY
    who = "The relay" if message.key == key else f"{sender.capitalize()} wrote the key into the outbox, and the relay"
    why = f"{who} published {event} {found}: only messages with the same key keep their order, and {key!r} is what the others of it have."
    text = f"{first.place}, {found}; it should be {key!r}"
    lanes = {"lane": walk.system.broker, "origin": RELAY, "event": event}
    walk.wrong("broker", text, first.place, Diagnosis(why, "labkit topics --by-key"), at=first.appended, **lanes)


def received(walk: Walk, event: str, message: Message, subscriber: Subscriber) -> bool:
    """Add the hop of the subscriber. Return whether it recorded the message as received."""
    service = subscriber.component
    lanes = {"lane": service, "origin": walk.system.broker, "event": event}
    if subscriber.name in message.taken:
        source = f"{subscriber.store}.{messaging.INBOX}, {subscriber.name}"
        if message.taken_commit.get(subscriber.name):
            source += f", {message.taken_commit[subscriber.name]}"
        walk.ok("consumer", f"{service} received it", source, at=message.taken[subscriber.name], **lanes)
        return True
    if subscriber.name in message.parked:
        what = last_line(message.parked[subscriber.name])
        diagnosis = parked(walk, event, message, service, what)
        text = f"{service} gave it up and parked it: {what}"
        walk.stop("consumer", text, dead_letters(walk, subscriber), diagnosis, **lanes)
        return False
    if reason := walk.tables.unread("tables"):
        walk.unread("consumer", "tables", reason, **lanes)
        return False
    text, source, diagnosis = _behind(walk, event, message, subscriber)
    walk.stop("consumer", text, source, diagnosis, **lanes)
    return False


def dead_letters(walk: Walk, subscriber: Subscriber) -> str:
    """Return where a subscriber stores the messages that it gave up."""
    if walk.system.stores_positions(subscriber):
        return f"{walk.system.title('view')}, {messaging.DEAD_LETTER_STREAM}{subscriber.name}"
    return f"{subscriber.store}.{messaging.DEAD_LETTERS}"


def parked(walk: Walk, event: str, message: Message, service: str, what: str) -> Diagnosis:
    """Return why the message was given up."""
    if fault := published_wrongly(walk.tables, message.id, what):
        publisher, wrong, _ = fault
        text = f"{publisher} published {event} {wrong}; {service} could not take it and parked it: {what}"
        return Diagnosis(text, f"labkit logs {service}")
    return Diagnosis(f"{service} could not handle {event} and parked it: {what}", f"labkit logs {service}")


def _behind(walk: Walk, event: str, message: Message, subscriber: Subscriber) -> tuple[str, str, Diagnosis]:
    """Return (text, source, diagnosis) for a message that the broker has and the subscriber has not received."""
    tables, name, service, first = walk.tables, subscriber.name, subscriber.component, message.first
    assert first
    logs = f"labkit logs {service}"
    known = trouble(tables, service)
    group = tables.group(name, first)
    if group is None:
        untaken = Diagnosis(f"{service} has not taken {event}{complaint(tables, service)}.", logs)
        return f"{name} has not received it", f"{walk.system.broker}'s consumer groups", known or untaken
    committed, lag, members, _ = group
    source = f"group {name}, {first.channel}, partition {first.partition}"
    stands = "has taken nothing of this partition yet" if committed is None else f"stands at {tables.position_words(committed)}"
    if first.is_before(committed):
        passed = Diagnosis(
            f"{service} acknowledged {event} and did nothing with it: its offset was committed before the work, or its handler is missing.",
            logs,
        )
        return f"{name} went past it (it {stands}) without noting it as received", source, known or passed
    nobody = "; the group has no member" if members == 0 else ""
    why = f"{service} has not reached {event} yet: it works on what is before it, waits, or hangs{complaint(tables, service)}."
    if members == 0:
        why = f"{service} does not subscribe: the group {name} has no member{complaint(tables, service)}."
    return f"{name} {stands}, {lag} behind{nobody}", source, known or Diagnosis(why, logs)
