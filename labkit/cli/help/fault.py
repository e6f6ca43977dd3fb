"""`labkit fault VERB`: names, options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name
from labkit.errors import ExitCode, UserError
from labkit.plain_numbers import number as plain

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Set one fault by hand.")

For = Annotated[str | None, typer.Option("--for", metavar="10s", help="Heal automatically after this time.")]
Type = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only events of this type, by its short name: labkit events.")]
Message = Annotated[str | None, typer.Option("--message", metavar="ID", help="Only this message.")]
Partition = Annotated[int | None, typer.Option("--partition", min=0, help="Only this partition.")]
Component = Annotated[str, typer.Argument(metavar="COMPONENT")]
MessageId = Annotated[str, typer.Argument(metavar="MESSAGE")]
Channel = Annotated[str, typer.Argument(metavar="CHANNEL", help="order, customer, or a full name.")]

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def seconds(text: str | None) -> float | None:
    """`500ms`, `10s`, `2m`, or a number of seconds. Raises UserError."""
    if text is None:
        return None
    number, factor = text, 1.0
    for unit, size in UNITS.items():
        if text.endswith(unit):
            number, factor = text.removesuffix(unit), size
            break
    try:
        found = plain(number) * factor
    except ValueError:
        found = 0.0
    if not 0 < found < 86_400:
        raise UserError(f"{text!r} is not a time: write 500ms, 10s or 2m.", "labkit fault --help", exit_code=ExitCode.USAGE)
    return found


@app.command("list", short_help="List the faults, and the services' failpoints.")
def list_all(name: Name = "default", as_json: Json = False) -> int:
    """List the verbs, and the failpoints of the running services."""
    from labkit.commands.fault import list_all

    return list_all(name, as_json=as_json)


@app.command(short_help="Show what is set now, and whether it fired.")
def status(name: Name = "default", as_json: Json = False) -> int:
    """Show each fault that is set: what it does, who set it, whether it fired, and how labkit knows. Changes nothing."""
    from labkit.commands.fault import status

    return status(name, as_json=as_json)


@app.command(short_help="Hold a subscriber before a message.")
def gate(
    subscriber: Component,
    event_type: Type = None,
    message: Message = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="CHANNEL", help="Only this channel.")] = None,
    partition: Partition = None,
    key: Annotated[str | None, typer.Option("--key", help="Only messages with this key, such as an order's id.")] = None,
    time: For = None,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """Hold a component's subscriber before each message, or those that the options select. Only the partition of a held message waits."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    order = specify.gate(subscriber, event_type=event_type, message_id=message, channel_name=channel, partition=partition, key=key)
    return fault(name, order, seconds=seconds(time), as_json=as_json)


@app.command(short_help="End a service at a named failpoint.")
def crash(
    component: Component,
    point: Annotated[str, typer.Argument(metavar="POINT", help="See labkit fault list.")],
    hit: Annotated[int, typer.Option("--hit", min=1, help="Fire when the point is reached for the N-th time.")] = 1,
    event_type: Type = None,
    message: Message = None,
    time: For = None,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """End a service at a named failpoint, as kill -9 would. It fires once; healing it starts the service again."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    order = specify.crash(component, point, hit=hit, message_id=message, event_type=event_type)
    return fault(name, order, seconds=seconds(time), as_json=as_json)


@app.command(short_help="Let two handlers meet at a failpoint.")
def barrier(
    component: Component,
    point: Annotated[str, typer.Argument(metavar="POINT", help="See labkit fault list.")],
    parties: Annotated[int, typer.Option("--parties", min=2, help="How many must meet.")] = 2,
    timeout: Annotated[str, typer.Option("--timeout", metavar="2s", help="How long the first one waits.")] = "2s",
    time: For = None,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """Let handlers of different partitions meet at a failpoint, then let all continue. If they do not meet in time, labkit reports it."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    order = specify.barrier(component, point, parties=parties, timeout_s=seconds(timeout) or 2.0)
    return fault(name, order, seconds=seconds(time), as_json=as_json)


@app.command(short_help="Publish an exact copy of a message.")
def duplicate(
    message: MessageId,
    times: Annotated[int, typer.Option("--times", min=1, max=1000, help="How many copies.")] = 1,
    partition: Annotated[int | None, typer.Option("--partition", min=0, help="Publish to this partition instead of its own.")] = None,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """Publish a message of an outbox again: same id, same key, same bytes."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    return fault(name, lambda stack: specify.duplicate(stack, message, times=times, partition=partition), as_json=as_json)


@app.command(short_help="Let one message be taken before another.")
def reorder(
    late: Annotated[str, typer.Argument(metavar="LATE", help="The message that is held.")],
    early: Annotated[str, typer.Argument(metavar="EARLY", help="The message that overtakes it.")],
    subscriber: Annotated[str | None, typer.Option("--subscriber", metavar="COMPONENT", help="Hold it for this subscriber only.")] = None,
    time: For = None,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """Hold one message until another has been taken. If both have the same key, a copy of the other goes to another partition."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    return fault(name, lambda stack: specify.reorder(stack, late, early, who=subscriber), seconds=seconds(time), as_json=as_json)


@app.command(short_help="Keep one row locked.")
def lock(
    what: Annotated[str, typer.Argument(metavar="ROW", help="customer, order or reservation.")],
    key: Annotated[int, typer.Argument(metavar="ID")],
    time: For = None,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """Keep one row locked by a transaction: labkit fault lock customer 4."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    order = specify.lock(what, key)
    return fault(name, order, seconds=seconds(time), as_json=as_json)


def _outage(verb: str, component: str, time: str | None, name: str, as_json: bool) -> int:
    from labkit.commands.fault import fault
    from labkit.faults import specify

    return fault(name, lambda stack: specify.outage(stack, verb, component), seconds=seconds(time), as_json=as_json)


@app.command(short_help="End a component at once.")
def kill(component: Component, time: For = None, name: Name = "default", as_json: Json = False) -> int:
    """End a component at once, as kill -9 does. Healing starts it again."""
    return _outage("kill", component, time, name, as_json)


@app.command(short_help="Stop a component gracefully.")
def stop(component: Component, time: For = None, name: Name = "default", as_json: Json = False) -> int:
    """Ask a component to stop, and wait until it has stopped. Healing starts it again."""
    return _outage("stop", component, time, name, as_json)


@app.command(short_help="Freeze a component.")
def pause(component: Component, time: For = None, name: Name = "default", as_json: Json = False) -> int:
    """Freeze a component: it neither works nor answers, and keeps its connections. Healing lets it continue."""
    return _outage("pause", component, time, name, as_json)


@app.command(short_help="Cut a component off the network.")
def cut(component: Component, time: For = None, name: Name = "default", as_json: Json = False) -> int:
    """Cut a component off the network of its stack. Healing connects it again."""
    return _outage("cut", component, time, name, as_json)


@app.command(short_help="Slow down a route or a subscriber.")
def delay(
    component: Component,
    by: Annotated[str, typer.Argument(metavar="TIME", help="500ms, 2s")],
    route: Annotated[
        str | None, typer.Option("--route", metavar="'POST /orders'", help="Slow down this route; without it, the subscriber.")
    ] = None,
    event_type: Type = None,
    time: For = None,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """Answer a route later, or let a subscriber take longer for each message."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    order = specify.delay(component, seconds(by) or 0.0, route=route, event_type=event_type)
    return fault(name, order, seconds=seconds(time), as_json=as_json)


@app.command(short_help="Publish a message that no service can read.")
def poison(
    channel: Channel,
    key: Annotated[str, typer.Option("--key", help="The record's key, which decides the partition.")] = "1",
    partition: Annotated[int | None, typer.Option("--partition", min=0, help="Publish to this partition.")] = None,
    unknown_type: Annotated[bool, typer.Option("--unknown-type", help="Publish a message of an unknown type.")] = False,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """Publish a record that is not a message. Services must park it and go on."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    which = {"key": key, "partition": partition, "unknown_type": unknown_type}
    return fault(name, lambda stack: specify.poison(stack, channel, **which), as_json=as_json)  # type: ignore[arg-type]


@app.command(short_help="Delete the older records of a channel.")
def trim(
    channel: Channel,
    partition: Annotated[list[int] | None, typer.Option("--partition", min=0, help="Only this partition; may be repeated.")] = None,
    before: Annotated[str | None, typer.Option("--before", metavar="POSITION", help="Only records before this one.")] = None,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """Delete records of a channel as a short retention would. This cannot be undone."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    return fault(name, lambda stack: specify.trim(stack, channel, partitions=partition or (), before=before), as_json=as_json)


@app.command(short_help="Publish the passage of time.")
def tick(
    hours: Annotated[int, typer.Option("--hours", min=1, max=10_000, help="How many hours.")] = 1,
    hour: Annotated[int | None, typer.Option("--hour", min=0, help="The first hour, counted from 1970; default: now.")] = None,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """Publish passage-of-time events, HourHasPassed."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    return fault(name, lambda stack: specify.tick(stack, hours=hours, hour=hour), as_json=as_json)


@app.command(short_help="Change a setting of a service.")
def switch(
    component: Component,
    setting: Annotated[str, typer.Argument(metavar="SETTING", help="batch, or a setting that a lab names.")],
    value: Annotated[str, typer.Argument(metavar="VALUE")],
    time: For = None,
    name: Name = "default",
    as_json: Json = False,
) -> int:
    """Change a setting of a service while it runs: labkit fault switch customers batch 1."""
    from labkit.commands.fault import fault
    from labkit.faults import specify

    order = specify.switch(component, setting, value)
    return fault(name, order, seconds=seconds(time), as_json=as_json)
