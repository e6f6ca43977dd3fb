"""The hint: a notification that an outbox has new rows, sent after a commit so that the relay need not poll blindly.

A hint is one UDP datagram whose body is the schema's name. A lost hint costs a poll interval, never a message.
"""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress

AT_ONCE, SPAN_S = 50, 0.02  # a service sends one hint per turn of its event loop
MAX_LENGTH = 256


class HintSender:
    """Sends hints for one schema to the relay at `address` (host, port), whether or not the relay is running."""

    def __init__(self, address: tuple[str, int], schema: str) -> None:
        self._address = address
        self._body = schema.encode()
        self._socket: socket.socket | None = None
        self._due = False

    def send(self) -> None:
        """Send one hint for all commits in this turn of the event loop."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._due = False
        try:
            if self._socket is None:
                self._socket = self._connected()
            self._socket.send(self._body)
        except OSError:  # no listener at the moment, or the host has a new address: look it up again next time
            if self._socket is not None:
                self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
        connected = socket.socket(family, kind, protocol)
        connected.setblocking(False)
        connected.connect(address)
        return connected


class HintListener:
    """Sets the event of the schema that a hint names.

    Any process on the machine can send to the port. A flood is bounded: each time span reads only a limited number of hints, and the system
    queues or drops the rest. These may include a true hint, so a span that reaches the limit counts as one hint for every schema.
    """

    def __init__(self, address: tuple[str, int], news: Mapping[str, asyncio.Event]) -> None:
        self._news = {schema.encode(): event for schema, event in news.items()}
        self._loop = asyncio.get_running_loop()
        family, kind, protocol, _, found = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        self._socket.bind(found)
        self._loop.add_reader(self._socket, self._read)
        self._again: asyncio.TimerHandle | None = None
        self._span_ends, self._left = 0.0, AT_ONCE

    def _read(self) -> None:
        if (now := self._loop.time()) >= self._span_ends:
            self._span_ends, self._left = now + SPAN_S, AT_ONCE
        while self._left > 0:
            self._left -= 1
            try:
                hint = self._socket.recv(MAX_LENGTH)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error in reply to a packet that did not come from here
                continue
            with suppress(KeyError):
                self._news[hint].set()
        for event in self._news.values():
            event.set()
        self._loop.remove_reader(self._socket)
        self._again = self._loop.call_later(SPAN_S, self._go_on)

    def _go_on(self) -> None:
        self._loop.add_reader(self._socket, self._read)

    def close(self) -> None:
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
