"""Connections to the stores that stay open between samples, and what a missing answer means."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from labkit import brokers
from labkit.evidence import redis
from labkit.stack import sql
from labkit.stack.model import Stack

TIMEOUT_S = 2.0
NO_SUCH_THING = (1044, 1049, 1054, 1142, 1143, 1146)  # database, column or table: missing, or not readable for labkit


class StoreSilent(Exception):
    """A store does not answer, or rejects the query: a sentence without a full stop.

    `rejected`: the server answers, but a table or column is missing or hidden from labkit.
    """

    def __init__(self, component: str, error: Exception) -> None:
        self.component = component
        self.rejected = len(error.args) == 2 and error.args[0] in NO_SUCH_THING
        super().__init__(f"{component} refuses: {error.args[1]}" if self.rejected else f"{component} does not answer: {error}")


class Connections:
    """One connection to each store, `mysql`, `broker` and `view`. Each is opened when it is first used."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._open: dict[str, Any] = {}

    def ask(self, store: str, question: Callable[[Any], Any]) -> Any:
        """Return the answer of a store. `question` receives the connection. Raises StoreSilent."""
        was_open = store in self._open
        try:
            return self.ask_once(store, question)
        except StoreSilent:
            if not was_open:
                raise
        return self.ask_once(store, question)  # a lost connection proves nothing: try a new one

    def ask_once(self, store: str, question: Callable[[Any], Any]) -> Any:
        import pymysql

        try:
            return question(self._connection(store))
        except Exception as error:
            self._drop(store)
            if not isinstance(error, OSError | ValueError | pymysql.MySQLError):
                raise
            component = {"broker": self._stack.profile.broker, "view": "redis"}.get(store, store)
            raise StoreSilent(component, error) from error

    def close(self) -> None:
        for store in list(self._open):
            self._drop(store)

    def _connection(self, store: str) -> Any:
        """Return the open connection to a store, or open one. Broker and view may share a server."""
        if store not in self._open:
            context: Any
            if store == "mysql":
                context = sql.connected(self._stack.observer, TIMEOUT_S)
            elif store == "broker":
                context = brokers.of(self._stack).connect(TIMEOUT_S)
            else:
                context = redis.Redis(self._stack.redis, TIMEOUT_S)
            self._open[store] = (context, context.__enter__())
        return self._open[store][1]

    def _drop(self, store: str) -> None:
        if store in self._open:
            context, _ = self._open.pop(store)
            with suppress(Exception):
                context.__exit__(None, None, None)
