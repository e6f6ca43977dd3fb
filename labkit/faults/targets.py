"""Subscribers and channels by the names that people give them."""

from labkit.errors import ExitCode, UserError
from labkit.system.model import Profile, Subscription

TIME = "io.eventuate.examples.tram.ordersandcustomers.time.PassageOfTime"


def subscription(profile: Profile, name: str) -> Subscription:
    """By the name of a component or of a subscriber. Raises UserError."""
    for each in profile.subscriptions:
        if name in (each.component, each.subscriber):
            return each
    known = ", ".join(f"{s.component} ({s.subscriber})" for s in profile.subscriptions)
    raise UserError(f"{name!r} subscribes to nothing; those that do: {known}.", "labkit fault list", exit_code=ExitCode.USAGE)


def subscribers(profile: Profile, channel: str) -> list[Subscription]:
    """Of a channel by its full name."""
    return [each for each in profile.subscriptions if channel in profile.taken_by(each.subscriber)]


def channel(profile: Profile, name: str) -> str:
    """The full name of a channel that is given by its short name, `order` or `customer`, or as it is."""
    return next((each.name for each in profile.channels if each.short.lower() == name.lower()), name)


def short(profile: Profile, channel: str) -> str:
    """`order`; a channel that is none of the system's as it is."""
    return next((each.short.lower() for each in profile.channels if each.name == channel), channel)
