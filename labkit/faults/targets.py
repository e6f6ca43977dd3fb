"""Find subscribers and channels by the names that people use."""

from labkit.errors import ExitCode, UserError
from labkit.system.model import Profile, Subscription

TIME = "io.eventuate.examples.tram.ordersandcustomers.time.PassageOfTime"


def subscription(profile: Profile, name: str) -> Subscription:
    """Return the subscription of a component or a subscriber. Raises UserError."""
    for each in profile.subscriptions:
        if name in (each.component, each.subscriber):
            return each
    known = ", ".join(f"{s.component} ({s.subscriber})" for s in profile.subscriptions)
    raise UserError(f"{name!r} subscribes to nothing; subscribers are {known}.", "labkit fault list", exit_code=ExitCode.USAGE)


def subscribers(profile: Profile, channel: str) -> list[Subscription]:
    """Return the subscriptions to a channel, given by its full name."""
    return [each for each in profile.subscriptions if channel in profile.taken_by(each.subscriber)]


def channel(profile: Profile, name: str) -> str:
    """Return the full name of a channel. A name other than a short one (`order`, `customer`) is returned unchanged."""
    return next((each.name for each in profile.channels if each.short.lower() == name.lower()), name)


def short(profile: Profile, channel: str) -> str:
    """Return the short name of a channel (`order`). A channel that is not the system's is returned unchanged."""
    return next((each.short.lower() for each in profile.channels if each.name == channel), channel)
