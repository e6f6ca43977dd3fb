"""Messages that a subscriber gave up, as its store holds them now."""

from dataclasses import dataclass

from labkit.checking.rows import cursor_on
from labkit.evidence import redis
from labkit.stack.model import Stack
from labkit.system import messaging
from labkit.system.model import Subscription

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class DeadLetter:
    message_id: str
    cause: str
    place: str
    """Where the message can be inspected."""

    @property
    def exception(self) -> str:
        """The last line of the cause."""
        lines = self.cause.strip().splitlines()
        return lines[-1].strip() if lines else ""


def given_up_by(stack: Stack, component: str, since: float) -> list[DeadLetter]:
    """Return the messages given up since then (epoch seconds), oldest first; empty if the view's store does not answer. Raises NotJudged
    if the database does not answer."""
    found: list[DeadLetter] = []
    for subscription in stack.profile.subscriptions:
        if subscription.component == component:
            found += _in_redis(stack, subscription, since) if subscription.stores_positions else _in_table(stack, subscription, since)
    return found


def _in_redis(stack: Stack, subscription: Subscription, since: float) -> list[DeadLetter]:
    key = f"{redis.DEAD_LETTERS.decode()}{subscription.subscriber}"
    try:
        with redis.Redis(stack.redis, TIMEOUT_S) as server:
            entries = server.ask("XRANGE", key, int(since * 1000), "+")
    except OSError:
        return []
    found = []
    for _, fields in entries:
        values = [value.decode(errors="replace") for value in fields]
        named = dict(zip(values[::2], values[1::2], strict=True))
        found.append(DeadLetter(named.get("message_id", ""), named.get("cause", ""), f"Redis, {key}"))
    return found


def _in_table(stack: Stack, subscription: Subscription, since: float) -> list[DeadLetter]:
    table = f"{subscription.store}.{messaging.DEAD_LETTERS}"
    with cursor_on(stack) as cursor:
        cursor.execute(
            f"SELECT message_id, cause FROM {table} WHERE subscriber = %s AND creation_time >= %s ORDER BY creation_time",
            [subscription.subscriber, int(since * 1000)],
        )
        return [DeadLetter(str(message_id or ""), str(cause or ""), table) for message_id, cause in cursor.fetchall()]
