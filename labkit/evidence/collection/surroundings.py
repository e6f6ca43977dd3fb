"""What happened around the stores: the scenario's requests, faults, processes, and their last words."""

from collections.abc import Collection as Names
from collections.abc import Sequence

from labkit.evidence import database, environment, faults, handlers, last_words
from labkit.evidence.collection.model import Collection
from labkit.evidence.quiescence.model import Outstanding, Stillness
from labkit.evidence.quiescence.rows import rows
from labkit.faults import blame
from labkit.stack import complaints


def insert(collection: Collection, stillness: Stillness | None, stalls: environment.StallWatch) -> None:
    """Insert the surroundings into the evidence."""
    begun = max(collection.mark.time if collection.mark else 0.0, collection.scenario.since)
    _scenario(collection)
    for table, row in rows(collection.watcher):
        database.insert(collection.connection, table, [row])
    events = _environment(collection, begun, stalls)
    _faults(collection)
    _last_words(collection, begun, events, stillness.outstanding if stillness else ())
    handlers.load(collection.connection, collection.watcher.runtime, collection.stack.profile)


def _scenario(collection: Collection) -> None:
    connection, scenario = collection.connection, collection.scenario
    database.insert(connection, "requests", scenario.requests)
    database.insert(connection, "scope", [{"customer_id": customer} for customer in scenario.customers])
    database.insert(connection, "expected_pending", [{"order_id": order} for order in scenario.expected_pending])
    if scenario.requests:
        database.set_complete(connection, "rest")


def _environment(collection: Collection, begun: float, stalls: environment.StallWatch) -> list[environment.Event]:
    """Insert what happened to the processes since `begun` (epoch seconds), and return it."""
    connection, stack, runtime = collection.connection, collection.stack, collection.watcher.runtime
    stalls.look()
    happened = environment.events(runtime, begun, blame.spans(stack.directory))
    events = [*environment.with_ports(stack, runtime, happened), *collection.scenario.stalls, *stalls.found]
    database.insert(connection, "environment", [event.row() for event in events])
    database.set_complete(connection, "environment", runtime.why_events_missing(begun))
    return events


def _faults(collection: Collection) -> None:
    connection = collection.connection
    found, planted = faults.rows(collection.stack, collection.mark.ledger if collection.mark else 0)
    database.insert(connection, "faults", found)
    known = set(connection.execute("SELECT topic, partition_no, offset_no FROM planted_records").fetchall())
    planted = [record for record in planted if (record["topic"], record["partition_no"], record["offset_no"]) not in known]
    database.insert(connection, "planted_records", planted)
    database.set_complete(connection, "faults")


def _last_words(collection: Collection, begun: float, events: Sequence[environment.Event], outstanding: Names[Outstanding]) -> None:
    """Insert the last exceptions of the services that ended by themselves, and of those that outstanding work waits for."""
    connection, stack, runtime = collection.connection, collection.stack, collection.watcher.runtime
    ended = {event.component for event in events if event.event == "end" and not event.by_labkit}
    subscribers = {each.subscriber: each.component for each in stack.profile.subscriptions}
    blamed = {subscribers.get(o.subject, o.subject) for o in outstanding}
    blamed |= {"relay"} if any(o.condition == "outbox" for o in outstanding) else set()
    words = last_words.rows(runtime, [name for name in stack.services if name in ended | blamed], begun, events)
    database.insert(connection, "last_words", words)
    for name in sorted(blamed & set(stack.services) - {row["component"] for row in words}):
        if runtime.runs(name) and (doing := complaints.doing(runtime, name)) is not None:
            database.set_fact(connection, f"doing {name}", doing)
