"""Serving: uvicorn on uvloop and httptools, with the limits that uvicorn leaves open."""

import asyncio
import re
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.settings import Settings
from services.web import begin_again
from services.web.log import uvicorn_in_our_log
from services.web.problem import Problem

HEAD_LIMIT = 64 * 1024  # bytes of request line and headers
BODY_TIMEOUT = 5.0  # seconds for a client to send what it announced
DRAIN_LIMIT = 64 * 1024 * 1024  # bytes of a refused body that are read away, so that the client sees the answer and not a reset

_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, plus: bounds on headers, on the time of a body and on what is read after the answer; problem documents for broken
    HTTP; and clients that offer HTTP/2 (Java's HttpClient does on every request; httptools then loses the body)."""

    _head = 0
    _reading_head = True
    _drained = 0
    _body_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if self._reading_head:
            self._head += len(data)
            if b"pgrade:" in data:
                head, end, body = data.partition(b"\r\n\r\n")
                data = _UPGRADE.sub(b"\r\nx-offered:", head) + end + body
        super().data_received(data)
        if self._reading_head and self._head > HEAD_LIMIT and not self.transport.is_closing():
            self._refuse(431, "the headers are larger than 64 KiB")
        if not self._reading_head and self._body_timer is None and not self.transport.is_closing():
            self._body_timer = self.loop.call_later(BODY_TIMEOUT, self._late)  # rare: head and body mostly come together

    def on_message_begin(self) -> None:
        self._drained = 0
        self._reading_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._reading_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._drained += len(body)
            if self._drained > DRAIN_LIMIT:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._head = 0
        self._reading_head = True
        self._cancel_body_timer()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_body_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "this is not an HTTP/1.1 request")

    def _late(self) -> None:
        if self.cycle.response_complete:
            self.transport.close()
        else:
            self._refuse(408, f"the body did not arrive within {BODY_TIMEOUT:.0f} s")

    def _cancel_body_timer(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _refuse(self, status: int, detail: str) -> None:
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and (cycle.response_started or not cycle.more_body):
            # the request before this one was whole: answer it, then close
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        body = Problem(status, detail).response().body
        head = f"HTTP/1.1 {status} {Problem(status, '').title}\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
        self.transport.write(head.encode() + b"content-length: %d\r\n\r\n%s" % (len(body), body))
        self.transport.close()


def serve(app: Starlette) -> None:
    """Serve `app` on HTTP_HOST:HTTP_PORT until SIGTERM or SIGINT; then finish what is under way, 2 s at most, and exit with 0.
    At SIGHUP the same, and begin again with the files as they are then (see begin_again.py).
    Wrong settings end the process with a line that says so."""
    settings = Settings()
    options: dict[str, Any] = {
        "host": settings.text("HTTP_HOST", "127.0.0.1"),
        "port": settings.number("HTTP_PORT", lowest=1),
        "loop": "uvloop",
        "http": Protocol,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": 2,
    }
    settings.check()
    uvicorn_in_our_log()
    # uvicorn raises the signal again when it is done; a stop that was asked for is not a death by signal.
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    begin_again.on_hangup()
    try:
        uvicorn.run(app, **options)
    finally:
        begin_again.if_asked_to()


def _stop(_: int, __: FrameType | None) -> NoReturn:
    sys.exit(0)
