"""Read the view, its positions and its dead letters from Redis, and write them as files for the evidence."""

import re
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from labkit.account import Account
from labkit.brokers.model import Positions
from labkit.evidence import messages
from labkit.evidence.table_files import LONGEST, TableFiles, milliseconds, number, optional, quoted
from labkit.system import messaging
from labkit.system.customers_and_orders import VIEW_KEY

TIMEOUT = 30.0  # seconds
BATCH = 200  # keys in one request
WRONG_TYPE = "WRONGTYPE"  # start of Redis's error for a command on a key of another type
TABLES = ("view_customers", "view_orders", "view_positions", "view_expiry", "dead_letters")
CUSTOMERS = b"customerviews"
LONGEST_ID = 100  # characters; a longer text is not converted to a number
VIEW, POSITIONS, DEAD_LETTERS = VIEW_KEY.encode(), messaging.POSITIONS.encode(), messaging.DEAD_LETTER_STREAM.encode()
_RAISE = object()


class Redis:
    """A connection to Redis. Raises OSError if the server does not answer or answers with an error."""

    def __init__(self, account: Account, timeout: float = TIMEOUT) -> None:
        import hiredis

        self._pack: Any = hiredis.pack_command
        self._reader = hiredis.Reader()
        self._error, self._told = hiredis.HiredisError, hiredis.PushNotification
        self.run_id = ""
        self.told = 0
        """How many messages came that answer nothing: Redis sends them when keys change that this connection tracks."""
        self._socket = socket.create_connection((account.host, account.port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if account.password:
            try:
                self.ask("AUTH", account.password)
            except BaseException:
                self._socket.close()
                raise

    def __enter__(self) -> "Redis":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, *words: str | bytes | int) -> Any:
        return self.ask_all([words])[0]

    def ask_all(self, requests: Sequence[tuple[str | bytes | int, ...]], other_type: Any = _RAISE) -> list[Any]:
        """Send all requests and return their answers in order.

        `other_type` replaces the answer for a key of another type than requested. Without it, such an answer raises OSError like any error.
        """
        self._socket.sendall(b"".join([self._pack(request) for request in requests]))
        answers: list[Any] = []
        while len(answers) < len(requests):
            answer = self._reader.gets()
            if answer is False:
                data = self._socket.recv(1 << 18)
                if not data:
                    raise ConnectionError("Redis closed the connection")
                self._reader.feed(data)
            elif isinstance(answer, self._told):
                self.told += 1
            elif isinstance(answer, self._error):
                if other_type is _RAISE or not str(answer).startswith(WRONG_TYPE):
                    raise OSError(f"Redis answered {requests[len(answers)][0]!r} with {answer}")
                answers.append(other_type)
            else:
                answers.append(answer)
        return answers


def writes(redis: Redis) -> tuple[str, int]:
    """Return the server's run id, and how many changes of the application's keys this connection was told of. The pair changes with every
    such change, and with a new connection. A service may write to other keys of its own at any time.

    Redis tells of each key: https://redis.io/docs/latest/develop/reference/client-side-caching/ (broadcasting mode).
    """
    if not redis.run_id:
        redis.ask("HELLO", 3)
        prefixes = [word for prefix in (VIEW, CUSTOMERS, POSITIONS, DEAD_LETTERS) for word in (b"PREFIX", prefix)]
        redis.ask("CLIENT", "TRACKING", "ON", "BCAST", *prefixes)
        run = re.search(r"^run_id:(\w+)", redis.ask("INFO", "server").decode(), re.MULTILINE)
        redis.run_id = run[1] if run else "unknown"
    redis.ask("PING")
    redis.ask("PING")  # what was written before the first answer is told before the second
    return redis.run_id, redis.told


def read(account: Account, positions: Positions, folder: Path, progress: Callable[[int], None] = lambda orders: None) -> int:
    """Write the view, its positions and its dead letters. `positions` is the broker's notation for positions.

    Returns the number of customers. Keys that are not part of a view, or do not have its layout, are ignored. Raises OSError.
    """
    with Redis(account) as redis, TableFiles(folder, TABLES) as files:
        (members,) = redis.ask_all([("SMEMBERS", CUSTOMERS)], ())
        listed = {bytes(member) for member in members}
        some_expire = any(int(count) for count in re.findall(rb"expires=(\d+)", redis.ask("INFO", "keyspace")))
        seen: set[bytes] = set()
        for keys in _batches(redis):
            if some_expire:
                _expiry(redis, [key for key in keys if key.startswith((VIEW, CUSTOMERS, POSITIONS, DEAD_LETTERS))], files)
            views = [key for key in keys if key.startswith(VIEW) and _id(key[len(VIEW) :])]
            for key, fields in zip(views, redis.ask_all([("HGETALL", key) for key in views], None), strict=True):
                if fields is not None:
                    customer = key[len(VIEW) :]
                    seen.add(customer)
                    progress(_view(customer, fields, customer in listed, files))
            for key in keys:
                if key.startswith(POSITIONS):
                    _positions(key, redis.ask_all([("HGETALL", key)], ())[0], positions, files)
                elif key.startswith(DEAD_LETTERS):
                    _dead_letters(key, redis.ask_all([("XRANGE", key, "-", "+")], ())[0], positions, files)
        for customer in listed - seen:
            _view(customer, [], True, files)
    return len(listed | seen)


def _expiry(redis: Redis, keys: Sequence[bytes], files: TableFiles) -> None:
    """Write the keys that Redis will remove by itself. No key of the view may be among them."""
    for key, left_ms in zip(keys, redis.ask_all([("PTTL", key) for key in keys]), strict=True):
        if left_ms >= 0:
            customer = _id(key.removeprefix(VIEW)) if key.startswith(VIEW) else ""
            files["view_expiry"].add(f"{customer},{quoted(key.decode(errors='replace'))},{left_ms / 1000}")


def _batches(redis: Redis) -> Iterator[list[bytes]]:
    """Yield all keys in batches, each key once: SCAN may return a key twice."""
    cursor, seen = b"0", set()
    while True:
        cursor, keys = redis.ask("SCAN", cursor, "COUNT", BATCH)
        fresh = [key for key in keys if key not in seen]
        seen.update(fresh)
        yield fresh
        if cursor == b"0":
            return


def _id(text: bytes) -> str:
    """Return an id in the services' notation, a number of 64 bits; empty for any other text."""
    if len(text) > LONGEST_ID or not text.removeprefix(b"-").isdigit():
        return ""
    return number(int(text))


def _view(customer: bytes, fields: Sequence[bytes], listed: bool, files: TableFiles) -> int:
    """Write one customer's view. Return its number of orders."""
    customer_id = _id(customer)
    if not customer_id:
        return 0
    name = limit = None
    orders: dict[str, dict[bytes, str]] = {}
    pairs = iter(fields)
    for field, value in zip(pairs, pairs, strict=True):
        text = value.decode(errors="replace")
        if field.startswith(b"order:"):
            order_id, _, what = field.removeprefix(b"order:").partition(b":")
            if _id(order_id) and what:
                orders.setdefault(_id(order_id), {})[what] = text
        elif field == b"name":
            name = text
        elif field == b"creditLimit":
            limit = text
    amount = messages.money(limit) if limit else None
    listing = "true" if listed else "false"
    files["view_customers"].add(f"{customer_id},{optional(name)},{amount or ''},{optional(limit)},{listing}")
    for order_id_, parts in orders.items():
        total = parts.get(b"total")
        money = messages.money(total) if total else None
        files["view_orders"].add(f"{customer_id},{order_id_},{optional(parts.get(b'state'))},{money or ''},{optional(total)}")
    return len(orders)


def _positions(key: bytes, fields: Sequence[bytes], positions: Positions, files: TableFiles) -> None:
    subscriber = quoted(key[len(POSITIONS) :].decode(errors="replace"))
    pairs = iter(fields)
    for place, written in zip(pairs, pairs, strict=True):
        topic, _, partition = place.rpartition(b":")
        if _id(partition) and (position := positions.read(written)) is not None:
            files["view_positions"].add(f"{subscriber},{quoted(topic.decode(errors='replace'))},{_id(partition)},{position}")


def _dead_letters(key: bytes, entries: Sequence[tuple[bytes, Sequence[bytes]]], positions: Positions, files: TableFiles) -> None:
    subscriber = quoted(key[len(DEAD_LETTERS) :].decode(errors="replace"))
    for entry_id, fields in entries:
        pairs = iter(fields)
        parts = dict(zip(pairs, pairs, strict=True))

        def text(name: bytes, parts: dict[bytes, bytes] = parts) -> str:
            value = parts.get(name)
            return optional(value.decode(errors="replace") if value else None)

        position = positions.read(parts.get(b"position", b""))
        place = f"{subscriber},{text(b'channel')},{_id(parts.get(b'partition', b''))},{'' if position is None else position},0"
        data = f"{parts.get(b'key', b'')[:LONGEST].hex()},{parts.get(b'value', b'')[:LONGEST].hex()}"
        parked = milliseconds(entry_id.partition(b"-")[0])
        files["dead_letters"].add(f"redis,,{place},{text(b'message_id')},{text(b'cause')},{data},{parked}")
