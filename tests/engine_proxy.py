"""A proxy socket for a real Docker engine that changes some answers: an engine that is too old, or has little memory."""

import http.client
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Change = Callable[[Any], Any]


@contextmanager
def changed_engine(real: str, path: Path, changes: Mapping[str, Change]) -> Iterator[str]:
    """`real` and the result are hosts, `unix:///…`. `changes` maps a request's path without version and query (`/info`) to a function that
    converts its JSON answer. Everything else passes unchanged."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(32)
        threading.Thread(target=_accept, args=(listener, real.removeprefix("unix://"), changes), daemon=True).start()
        try:
            yield f"unix://{path}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # ends accept


def _accept(listener: socket.socket, real: str, changes: Mapping[str, Change]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, real, changes), daemon=True).start()


def _serve(client: socket.socket, real: str, changes: Mapping[str, Change]) -> None:
    """Serves one request per connection."""
    with client, socket.socket(socket.AF_UNIX) as engine:
        head = b""
        while b"\r\n\r\n" not in head:
            chunk = client.recv(65536)
            if not chunk:
                return
            head += chunk
        engine.connect(real)
        lines, _, body = head.partition(b"\r\n\r\n")
        if b"upgrade:" not in lines.lower():
            lines = re.sub(rb"(?im)^connection:.*\r\n", b"", lines) + b"\r\nConnection: close"
        engine.sendall(lines + b"\r\n\r\n" + body)
        asked = re.sub(r"^/v1\.\d+", "", lines.split(b" ")[1].decode().partition("?")[0])
        if asked in changes:
            answer = http.client.HTTPResponse(engine)
            answer.begin()
            data = json.dumps(changes[asked](json.loads(answer.read()))).encode()
            kept = [
                f"{name}: {value}" for name, value in answer.getheaders() if name.lower() not in ("content-length", "transfer-encoding")
            ]
            lead = "\r\n".join([f"HTTP/1.1 {answer.status} {answer.reason}", *kept, f"Content-Length: {len(data)}"])
            client.sendall(lead.encode() + b"\r\n\r\n" + data)
            return
        upwards = threading.Thread(target=_pump, args=(client, engine), daemon=True)
        upwards.start()
        _pump(engine, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
