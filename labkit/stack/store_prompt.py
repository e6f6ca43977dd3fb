"""A store's prompt at this stack's port: the server's own client if the machine has it, else a small built-in prompt."""

import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from labkit.errors import UserError
from labkit.stack import sql
from labkit.stack.model import Stack
from labkit.terminal import say, table

ENDS = ("exit", "quit", "\\q")
TIMEOUT_S, LAST_EVENTS = 30.0, 10
Answer = Callable[[str], None]
"""Executes one command and prints the result. Raises OSError or ValueError with the store's error message."""


@dataclass(frozen=True)
class Looks:
    """What a broker's prompt shows: `channels(stack, by_key)` and `events(stack, count)`."""

    channels: Callable[[str, bool], object]
    events: Callable[[str, int], object]


def run(stack: Stack, store: str, looks: "Looks") -> None:
    """Run the built-in prompt: read commands until exit or Ctrl-D."""
    if sys.stdin.isatty():
        import readline  # noqa: F401  # arrow keys and history
    product = stack.profile.server(store).product
    answers: dict[str, Callable[[Stack], Iterator[Answer]]] = {"mysql": _mysql, "redis": _redis}
    for answer in answers.get(product, partial(_broker, looks=looks))(stack):
        for words in _commands(f"{store} {stack[store].endpoint.port}> ", ends_with=";" if product == "mysql" else ""):
            try:
                answer(words)
            except (OSError, ValueError) as error:
                say.problem(f"✗ {error}")


def _commands(prompt: str, ends_with: str) -> Iterator[str]:
    """Yield the commands that are typed: one line each, or all lines up to the end mark. A blank line discards an unfinished command."""
    shown = prompt if sys.stdin.isatty() else ""
    begun: list[str] = []
    while True:
        try:
            line = input(f"{'':{len(shown) - 3}}-> " if begun and shown else shown).strip()
        except EOFError:
            if begun:
                yield " ".join(begun)
            return
        except KeyboardInterrupt:
            begun = []
            say.line()
            continue
        if not begun and line.rstrip(";").lower() in ENDS:
            return
        if not line:
            begun = []
        elif ends_with and not line.endswith(ends_with):
            begun.append(line)
        else:
            yield " ".join([*begun, line.removesuffix(ends_with)]).strip()
            begun = []


def _mysql(stack: Stack) -> Iterator[Answer]:
    with sql.connected(stack.mysql, TIMEOUT_S) as cursor:

        def answer(words: str) -> None:
            import pymysql

            try:
                cursor.execute(words)
            except pymysql.MySQLError as error:
                raise ValueError(error.args[-1]) from error
            if cursor.description:
                table.show([column[0] for column in cursor.description], list(cursor.fetchall()))
            else:
                say.line(f"{cursor.rowcount} rows changed")

        schemas = " and ".join(stack.profile.schemas)
        say.line(f"MySQL's own tables: end a statement with ; and leave with exit. The schemas are {schemas}.")
        yield answer


def _redis(stack: Stack) -> Iterator[Answer]:
    import redis

    at = stack.redis
    with redis.Redis(at.host, at.port, password=at.password or None, decode_responses=True) as server:

        def answer(words: str) -> None:
            try:
                _show(server.execute_command(*shlex.split(words)))
            except redis.RedisError as error:
                raise ValueError(str(error)) from error

        say.line("Redis takes one command a line, such as KEYS *; leave with exit.")
        yield answer


def _show(value: Any, indent: str = "") -> None:
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list | tuple | set):
        for n, part in enumerate(value, 1):
            if isinstance(part, list | tuple | set | dict):
                say.raw(f"{indent}{n})")
                _show(part, f"{indent}   ")
            else:
                say.raw(f"{indent}{n}) {part}")
        if not value:
            say.raw(f"{indent}(empty)")
    else:
        say.raw(f"{indent}{'(nil)' if value is None else value}")


def _broker(stack: Stack, looks: Looks) -> Iterator[Answer]:
    """Yield the answer function for a broker without a prompt of its own."""
    known: dict[str, tuple[str, Callable[[int], object]]] = {
        "topics": ("partitions, offsets, consumer groups", lambda _: looks.channels(stack.name, False)),
        "keys": ("which key is in which partition", lambda _: looks.channels(stack.name, True)),
        "events": ("the last ones: events 20", lambda count: looks.events(stack.name, count)),
    }

    def answer(words: str) -> None:
        word, _, rest = words.partition(" ")
        if word not in known:
            raise ValueError(f"{word!r} is not a command here: {', '.join(known)}, exit")
        try:
            known[word][1](int(rest) if rest.isdecimal() else LAST_EVENTS)
        except UserError as error:
            raise ValueError(error.message) from error

    for word, (meaning, _) in known.items():
        say.line(f"  {word:8}  {meaning}")
    yield answer
