"""A proxy for MySQL that cuts a connection when a given statement passes: a network fault at a chosen moment."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HOST = "127.0.0.1"


class Cutting:
    """Passes everything on until `arm`. Then the packet with the word is passed on or dropped, and its connection is closed."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listening = socket.create_server((HOST, 0))
        self.port = int(self._listening.getsockname()[1])
        self._word = b""
        self._pass_on = True
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, word: bytes, *, pass_on: bool) -> None:
        self._word, self._pass_on = word, pass_on

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection((HOST, self._to))
                threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()
                threading.Thread(target=self._to_client, args=(server, client), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self._word and self._word in data:
                    client.shutdown(socket.SHUT_RDWR)
                    if self._pass_on:
                        server.sendall(data)
                        server.recv(1 << 16)  # its answer, which nobody receives
                    break
                server.sendall(data)
        client.close()
        server.close()

    def _to_client(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(to: int) -> Iterator[Cutting]:
    proxy = Cutting(to)
    try:
        yield proxy
    finally:
        proxy.close()
