"""Collecting hops, the part of the way that all messages go (relay, broker, inbox), and what is known about whoever stands still."""

from typing import Any

from labkit.story.model import SCHEMA_OF, SERVICE_OF, Diagnosis, Hop, Mark, Told, last_line
from labkit.story.payload import published_wrongly
from labkit.story.tables import Tables


class Walk:
    """Collects hops; after the first that is missing, what would follow is only waiting."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.hops: list[Hop] = []
        self.diagnosis: Diagnosis | None = None
        self.stopped = False

    def ok(self, key: str, text: str, source: str = "", **more: Any) -> None:
        self.hops.append(Hop(key, Mark.OK, text, source, **more))

    def stop(self, key: str, text: str, source: str, diagnosis: Diagnosis, **more: Any) -> None:
        self.hops.append(Hop(key, Mark.MISSING, text, source, **more))
        self.stopped, self.diagnosis = True, self.diagnosis or diagnosis

    def unread(self, key: str, text: str, source: str, diagnosis: Diagnosis, **more: Any) -> None:
        self.hops.append(Hop(key, Mark.UNREAD, text, source, **more))
        self.stopped, self.diagnosis = True, self.diagnosis or diagnosis

    def wait(self, key: str, text: str = "waiting", **more: Any) -> None:
        self.hops.append(Hop(key, Mark.WAITING, text, **more))

    def relayed(self, event: str, message: Told, lane: str) -> bool:
        """Is it in Kafka? Where, and if not, why not."""
        if message.first:
            if (key := _wrong_key(message)) is not None:
                self._mislaid(event, message, key, lane)
                return True
            copies = [c for c in message.copies if not c.planted]
            again = f" and {len(copies) - 1} more" if len(copies) > 1 else ""
            planted = "" if copies else ", planted by labkit"
            self.ok(
                "broker",
                f"{message.first.place}{again}{planted}",
                message.first.place,
                at=message.first.appended,
                lane=message.first.lane,
                event=event,
            )
            return True
        if reason := self.tables.unread("records"):
            if message.published:
                self.ok("relay", "marked as published", "the outbox's own mark", lane="relay", event=event)
            self.unread("broker", f"could not be read: {reason}", "Kafka", self.down("kafka", reason), event=event)
            return False
        if message.published:
            self.stop(
                "broker",
                f"{event} is marked as published, and Kafka does not hold it",
                f"{message.schema}.message, Kafka",
                Diagnosis(
                    f"{event} was marked as published and is not in Kafka: marked before the broker had "
                    f"acknowledged it, or deleted from the topic since.",
                    "labkit logs relay",
                ),
                lane="relay",
                event=event,
            )
        else:
            self.stop(
                "relay",
                f"{event} waits in the outbox: nobody has published it",
                f"{message.schema}.message",
                self._relay_is(event),
                lane="relay",
                event=event,
            )
        return False

    def _mislaid(self, event: str, message: Told, key: str, lane: str) -> None:
        """It is in Kafka, and not where the other messages of its aggregate are: what follows may still come about."""
        assert message.first
        found = f"with the key {message.first.key!r}" if message.first.key else "without a key"
        who = "The relay" if message.key == key else f"{lane.capitalize()} wrote the key into the outbox, and the relay"
        text = f"{message.first.place}, {found}; {key!r} would be right"
        why = (
            f"{who} published {event} {found}: only messages with the same key keep their order, and {key!r} is what the others of it have."
        )
        self.hops.append(
            Hop("broker", Mark.MISSING, text, message.first.place, at=message.first.appended, lane=message.first.lane, event=event)
        )
        self.diagnosis = self.diagnosis or Diagnosis(why, "labkit topics --by-key")

    def _relay_is(self, event: str) -> Diagnosis:
        known = self.component("relay") or self.component("kafka")
        return known or Diagnosis(f"The relay has not published {event}{self._complaint('relay')}.", "labkit logs relay")

    def _complaint(self, service: str) -> str:
        """What it complained about lately."""
        found = self.tables.row("SELECT text FROM last_words WHERE component = ? ORDER BY said DESC NULLS LAST LIMIT 1", service)
        return f"; it last complained: {last_line(found[0]).rstrip('.')}" if found else ""

    def component(self, name: str) -> Diagnosis | None:
        """What is known to be wrong with a component now."""
        found = self.tables.row(
            "SELECT event, exit_code, signal, happened, detail FROM environment WHERE component = ? AND event "
            "IN ('start', 'end', 'adopt', 'pause', 'unpause', 'oom')"
            " ORDER BY happened DESC, event LIMIT 1",
            name,
        )
        if found is None or found[0] in ("start", "adopt", "unpause"):
            return None
        event, exit_code, number, happened, detail = found
        fault = self.tables.row("SELECT id, primitive FROM faults WHERE target = ? AND healed IS NULL ORDER BY id DESC", name)
        by = f" by fault {fault[0]} (labkit fault {fault[1]} {name})" if fault else ""
        fix = f"labkit heal {fault[0]}" if fault else "labkit up"
        if event == "pause":
            return Diagnosis(f"{name} is paused{by}: its process is stopped and does nothing.", fix)
        how = f"signal {number}" if number else f"exit code {exit_code}" if exit_code is not None else "nobody saw how"
        at = f" at {happened:%H:%M:%S}" if number or exit_code is not None else ""
        return Diagnosis(f"{name} is not running: it ended{at}{by} ({how}){f': {detail}' if detail else ''}.", fix)

    def down(self, component: str, reason: str) -> Diagnosis:
        return self.component(component) or Diagnosis(f"{component} could not be read: {reason}.", "labkit status")

    def taken(self, event: str, message: Told, subscriber: str) -> bool:
        """Has its subscriber noted it as received?"""
        service = SERVICE_OF[subscriber]
        if subscriber in message.taken:
            source = f"{SCHEMA_OF[subscriber]}.received_messages, {subscriber}"
            if message.taken_commit.get(subscriber):
                source += f", {message.taken_commit[subscriber]}"
            self.ok("consumer", f"{service} received it", source, at=message.taken[subscriber], lane=service, event=event)
            return True
        if subscriber in message.parked:
            what = last_line(message.parked[subscriber])
            self.stop(
                "consumer",
                f"{service} gave it up and parked it: {what}",
                f"{SCHEMA_OF[subscriber]}.dead_letter" if subscriber in SCHEMA_OF else f"Redis, deadletter:{subscriber}",
                self.parked(event, message, service, what),
                lane=service,
                event=event,
            )
            return False
        if reason := self.tables.unread("tables"):
            self.unread("consumer", f"could not be read: {reason}", "MySQL", self.down("mysql", reason), lane=service, event=event)
            return False
        self.stop("consumer", *self._behind(event, message, subscriber, service), lane=service, event=event)
        return False

    def parked(self, event: str, message: Told, service: str, what: str) -> Diagnosis:
        """Why it was given up."""
        if fault := published_wrongly(self.tables, message.id, what):
            publisher, wrong, _ = fault
            text = f"{publisher} published {event} {wrong}; {service} could not take it and parked it: {what}"
            return Diagnosis(text, f"labkit logs {service}")
        return Diagnosis(f"{service} could not handle {event} and parked it: {what}", f"labkit logs {service}")

    def _behind(self, event: str, message: Told, subscriber: str, service: str) -> tuple[str, str, Diagnosis]:
        assert message.first
        group = self.tables.group(subscriber, message.first)
        diagnosis = self.component(service)
        if group is None:
            return (
                f"{subscriber} has not received it",
                "Kafka's consumer groups",
                diagnosis or Diagnosis(f"{service} has not taken {event}{self._complaint(service)}.", f"labkit logs {service}"),
            )
        committed, lag, members, _ = group
        source = f"group {subscriber}, {message.first.channel}, partition {message.first.partition}"
        stands = f"stands at offset {committed}" if committed is not None else "has taken nothing of this partition yet"
        nobody = "; the group has no member" if members == 0 else ""
        if committed is not None and committed > message.first.offset:
            return (
                f"{subscriber} went past it (it {stands}) without noting it as received",
                source,
                diagnosis
                or Diagnosis(
                    f"{service} acknowledged {event} and did nothing with it: its offset was committed before "
                    f"the work, or its handler is missing.",
                    f"labkit logs {service}",
                ),
            )
        if diagnosis is None and members == 0:
            diagnosis = Diagnosis(
                f"{service} does not subscribe: the group {subscriber} has no member{self._complaint(service)}.", f"labkit logs {service}"
            )
        return (
            f"{subscriber} {stands}, {lag} behind{nobody}",
            source,
            diagnosis
            or Diagnosis(
                f"{service} has not reached {event} yet: it works on what is before it, waits, or hangs{self._complaint(service)}.",
                f"labkit logs {service}",
            ),
        )


def _wrong_key(message: Told) -> str | None:
    """The key that its aggregate's messages have, when this one has another."""
    about = {"Order": message.order_id, "Customer": message.customer_id}.get(message.channel)
    if about is None or message.first is None or message.first.planted or message.first.key == str(about):
        return None
    return str(about)
