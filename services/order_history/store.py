"""The view in Redis: one hash for each customer; each event is one Lua call."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from services.messaging.brokers import Place, Position
from services.order_history.document import CustomerView, document_of

CUSTOMERS = "customerviews"
_IDENTITY = ":identity"


class ViewChange(msgspec.Struct, frozen=True):
    """The change that one event makes: fields of the customer's view, and the state of an order. A state never goes backwards."""

    customer_id: int
    fields: Mapping[str, str]
    state: tuple[str, str] | None = None


class Step(msgspec.Struct, frozen=True):
    """One processed message: the partition of its record (None when more messages of the same record follow), the position after it, the
    position before it if known, and the change that it makes."""

    place: Place | None
    position: Position
    known: Position | None
    change: ViewChange | None


def _script(name: str, *types: str) -> str:
    """Wrap a script: see position.lua. `write` begins on the first line, so that line numbers in Redis errors match the file."""
    write, require_types, position = (Path(__file__).with_name(file).read_text() for file in (name, "key_types.lua", "position.lua"))
    quoted = ", ".join(f"'{one}'" for one in types)
    return (
        f"local function write() {write}\nend\nlocal types = {{{quoted}}}\nlocal function require_types()\n{require_types}end\n{position}"
    )


_PROJECT = _script("apply_event.lua", "hash", "hash", "set")
_PARK = _script("park.lua", "hash", "stream")


class ViewStore:
    def __init__(self, redis: Redis, subscriber: str) -> None:
        self._redis = redis
        self.subscriber = subscriber
        self._positions = f"positions:{subscriber}"
        self._dead_letters = f"deadletter:{subscriber}"
        self._sha = ""

    async def write(self, steps: Sequence[Step]) -> list[int]:
        """The script's answer for each step."""
        if not self._sha:
            self._sha = await self._redis.script_load(_PROJECT)
        pipeline = self._redis.pipeline(transaction=False)
        for step in steps:
            pipeline.evalsha(self._sha, 3, *self._arguments(step))
        answers = await pipeline.execute(raise_on_error=False)
        failed = next((answer for answer in answers if isinstance(answer, Exception)), None)
        if isinstance(failed, NoScriptError):  # Redis was restarted; it recognises the steps that it executed before
            self._sha = ""
            return await self.write(steps)
        if failed is not None:
            raise failed
        return list(answers)

    def _arguments(self, step: Step) -> list[str | int]:
        change = step.change
        arguments: list[str | int] = [self._positions, f"customerview:{change.customer_id}" if change else "", CUSTOMERS]
        arguments += _stepped(step)
        if change is None:
            return [*arguments, "", "", ""]
        arguments += [change.customer_id, *(change.state or ("", ""))]
        for field, value in change.fields.items():
            arguments += [field, value]
        return arguments

    async def park(self, steps: Sequence[tuple[Step, Mapping[str, str | bytes]]]) -> list[int]:
        """Store messages that were given up, and move past them. Returns the script's answer for each."""
        pipeline = self._redis.pipeline(transaction=False)
        for step, dead_letter in steps:
            pairs = [part for pair in dead_letter.items() for part in pair]
            pipeline.eval(_PARK, 2, self._positions, self._dead_letters, *_stepped(step), *pairs)
        return list(await pipeline.execute())

    async def positions(self) -> dict[Place, Position]:
        """The stored positions. Values in another format were not written by this service and are skipped."""
        found = {}
        for field, text in (await self._texts(self._positions)).items():
            channel, _, partition = field.rpartition(":")
            if partition.isascii() and partition.isdigit():
                with suppress(ValueError):
                    found[channel, int(partition)] = Position.parse(text)
        return found

    async def identities(self) -> dict[str, str]:
        """The identities of the channels that have a stored position."""
        stored = await self._texts(self._positions)
        return {field.removesuffix(_IDENTITY): value for field, value in stored.items() if field.endswith(_IDENTITY)}

    async def identify(self, identities: Mapping[str, str]) -> None:
        if identities:
            await self._redis.hset(self._positions, mapping={channel + _IDENTITY: identity for channel, identity in identities.items()})

    async def forget(self, places: Sequence[Place]) -> None:
        await self._redis.hdel(self._positions, *map(_place, places))

    async def view(self, customer_id: int) -> CustomerView | None:
        fields = await self._texts(f"customerview:{customer_id}")
        return document_of(customer_id, fields) if fields else None

    async def _texts(self, key: str) -> dict[str, str]:
        stored: Mapping[Any, Any] = await self._redis.hgetall(key)
        return {field.decode(errors="replace"): value.decode(errors="replace") for field, value in stored.items()}

    async def count(self) -> int:
        return int(await self._redis.scard(CUSTOMERS))

    async def ping(self) -> None:
        await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()


def _place(place: Place) -> str:
    return f"{place[0]}:{place[1]}"


def _stepped(step: Step) -> list[str]:
    """Arguments 1 to 3 of position.lua."""
    return [_place(step.place) if step.place else "", str(step.position), "" if step.known is None else str(step.known)]
