"""HTTP/1.1 on one connection: uvicorn's protocol on httptools, with the limits and refusals that both lack.

Requests are answered in order. An invalid request, or one that does not arrive in time, is refused after the earlier requests are answered.
Then the connection is closed, because the start of the next request is unknown.
"""

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.web.problem import Problem

HEAD_LIMIT = 64 * 1024  # bytes of request line and headers
HEAD_TIMEOUT = 5.0  # seconds from the first sign of a connection or a head to the end of the head
BODY_TIMEOUT = 5.0  # seconds in which a client must send the announced body
ANSWER_TIMEOUT = 75.0  # seconds in which a client reads nothing of its answer
GRACE = 0.1  # added to each timer: libuv checks timers before it reads data that arrived during a pause
LINGER = 1.0  # seconds of reading after a refusal: a reset would discard the answer
BESIDE_LIMIT = 1024 * 1024  # bytes of chunk sizes, their extensions and trailers
DRAIN_LIMIT = 64 * 1024 * 1024  # bytes of a refused body that are read, so that the client sees the answer and not a reset

_OFFERS = (b"upgrade", b"http2-settings")


class _Refused(Exception):
    """Raised inside the parser to end it."""


class Protocol(HttpToolsProtocol):
    """See the module. An offer to change the protocol is declined as HTTP requires: the request is answered as if it contained no offer.
    (Java's HttpClient offers HTTP/2 with each request.)"""

    _head = 0  # bytes since the end of the last request, as far as they came in separate packets
    _begun = False
    _reading_head = True
    _beside = 0
    _drained = 0
    _timer: asyncio.TimerHandle | None = None
    _times_body = False
    _write_timer: asyncio.TimerHandle | None = None
    _why: tuple[int, str] | None = None
    _refusal: bytes | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._set_timer(HEAD_TIMEOUT, body=False)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._refusal is not None:
            self._drain(len(data))
            return
        if self._reading_head:
            self._head += len(data)
        else:
            self._beside += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            status, detail = self._why or (400, "this is not an HTTP/1.1 request")
            self._refuse(status, detail)
        else:
            self._after_data()

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                # The parser ends after the head, even if a body was announced. Start a new parser with the same head, without the offer.
                head = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
                head += b"".join(b"%s: %s\r\n" % header for header in self.headers if header[0] not in _OFFERS)
                data = head + b"\r\n" + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _after_data(self) -> None:
        if self.transport.is_closing():
            return
        if self._reading_head and self._head > HEAD_LIMIT:
            self._refuse(431, "the headers are larger than 64 KiB")
        elif self._beside > BESIDE_LIMIT:
            self._refuse(400, "the chunks of the body are too small, or what stands beside them is too large")
        elif not self._reading_head:
            if self._timer is None or not self._times_body:  # rare: head and body usually arrive together
                self._set_timer(BODY_TIMEOUT, body=True)
        elif not self._begun and self._head == 0:
            self._cancel_timer()  # between two requests uvicorn's idle timeout applies
        elif self._timer is None:
            self._set_timer(HEAD_TIMEOUT, body=False)

    def on_message_begin(self) -> None:
        self._drained = self._beside = 0
        self._begun = self._reading_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading_head:  # services do not use trailers
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.get_method() == b"CONNECT":
            self._end(400, "this is no proxy")
        if self.parser.should_upgrade():
            return  # see _feed
        self._check_head()
        self._reading_head = False
        super().on_headers_complete()

    def _check_head(self) -> None:
        """Refuse what the parser accepts although two readers could interpret it differently. The parser itself refuses two lengths, a
        length with chunks, folded lines and bare line feeds."""
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._end(400, f"HTTP/{version} is not spoken here, HTTP/1.1 is")
        hosts = 0
        for index, (name, value) in enumerate(self.headers):
            if name == b"transfer-encoding" and (value.strip().lower() != b"chunked" or version == "1.0"):
                self._end(400, "the only transfer-encoding that is known is chunked, in HTTP/1.1")
            elif name == b"host":
                hosts += 1
                if not self.url.startswith((b"/", b"*")):  # http://host/path: the header is ignored
                    self.headers[index] = (name, _authority(self.url))
        if hosts > 1:
            self._end(400, "there is more than one host header")

    def _end(self, status: int, detail: str) -> None:
        self._why = (status, detail)
        raise _Refused

    def on_body(self, body: bytes) -> None:
        self._beside -= len(body)
        if self.cycle.response_complete:
            self._drain(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._head = self._beside = 0
        self._begun, self._reading_head = False, True
        self._cancel_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self._refusal is None or self.pipeline:
            super().on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._send_refusal()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # closing would wait for a client that does not read
        super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(ANSWER_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        self._cancel_write_timer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        self._cancel_write_timer()
        super().connection_lost(exc)

    def _drain(self, size: int) -> None:
        self._drained += size
        if self._drained > DRAIN_LIMIT:
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer with a problem and close, after the earlier requests are answered. A request with an incomplete body is abandoned."""
        self._cancel_timer()
        problem = Problem(status, detail)
        body = problem.response().body
        head = f"HTTP/1.1 {status} {problem.title}\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
        self._refusal = head.encode() + b"content-length: %d\r\n\r\n%s" % (len(body), body)
        cycle = self.cycle
        waits = bool(self.pipeline)
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body or cycle.response_started:
                waits = True
            elif waits:
                self.pipeline.popleft()  # the newest
            else:
                cycle.disconnected = True
                cycle.message_event.set()
        if not waits:
            self._send_refusal()

    def _send_refusal(self) -> None:
        if self.transport.is_closing() or self._refusal is None:
            return
        self.transport.write(self._refusal)
        self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(LINGER, self.transport.close)

    def _set_timer(self, seconds: float, *, body: bool) -> None:
        self._cancel_timer()
        self._times_body = body
        self._timer = self.loop.call_later(seconds, self._overdue)

    def _overdue(self) -> None:
        self._timer = self.loop.call_later(GRACE, self._late)

    def _late(self) -> None:
        self._timer = None
        if self.flow.read_paused:  # reading is paused on this side: earlier requests are still being answered
            self._set_timer(BODY_TIMEOUT, body=self._times_body)
        elif self._reading_head and not self._begun:
            self.transport.close()  # no request has started
        elif self._reading_head:
            self._refuse(408, f"the headers did not arrive within {HEAD_TIMEOUT:.0f} s")
        elif self.cycle.response_complete:
            self.transport.close()
        else:
            self._refuse(408, f"the body did not arrive within {BODY_TIMEOUT:.0f} s")

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cancel_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def _authority(url: bytes) -> bytes:
    parsed = httptools.parse_url(url)
    host, port = parsed.host or b"", parsed.port
    host = b"[%s]" % host if b":" in host else host
    return host if port is None else b"%s:%d" % (host, port)
