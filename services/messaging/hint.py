"""The hint: "there is something new in this outbox", sent after a commit so that the relay need not poll blindly.

One UDP datagram whose body is the schema's name. Losing one costs a poll interval, never a message.
"""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress


class HintSender:
    """Sends hints for one schema to the relay at `address` (host, port), whether it is there or not."""

    def __init__(self, address: tuple[str, int], schema: str) -> None:
        self._address = address
        self._body = schema.encode()
        self._socket: socket.socket | None = None
        self._due = False

    def send(self) -> None:
        """Send one hint for all commits of this turn of the event loop."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._due = False
        try:
            if self._socket is None:
                self._socket = self._connected()
            self._socket.send(self._body)
        except OSError:  # nobody listens there now, or the name has a new address: look it up again the next time
            if self._socket is not None:
                self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
        connected = socket.socket(family, kind, protocol)
        connected.setblocking(False)
        connected.connect(address)
        return connected


class HintListener(asyncio.DatagramProtocol):
    """Sets the event of the schema that a hint names."""

    def __init__(self, news: Mapping[str, asyncio.Event]) -> None:
        self._news = {schema.encode(): event for schema, event in news.items()}

    def datagram_received(self, data: bytes, addr: object) -> None:
        with suppress(KeyError):
            self._news[data].set()


async def listen_for_hints(address: tuple[str, int], news: Mapping[str, asyncio.Event]) -> asyncio.DatagramTransport:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: HintListener(news), local_addr=address)
    return transport
