"""Answers: JSON, empty, and problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

_PHRASES = {status.value: status.phrase for status in HTTPStatus}

# Money is written as a JSON number with its exact digits: 15.00 stays 15.00.
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Problem(Exception):
    """An error in the client's terms, with an HTTP status. `field` is the JSON path of the wrong field, such as `orderTotal.amount`."""

    def __init__(
        self, status: int, detail: str, *, field: str | None = None, title: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.title = title or _PHRASES.get(status, "Error")
        self.headers = headers

    def response(self) -> Response:
        """Answers with `{"type":"about:blank","title","status","detail","field"?}` as `application/problem+json`."""
        document: dict[str, object] = {"type": "about:blank", "title": self.title, "status": self.status, "detail": _printable(self.detail)}
        if self.field:
            document["field"] = _printable(self.field)
        return RawResponse(_encode(document), self.status, b"application/problem+json", self.headers)


class RawResponse(Response):
    """A finished body. Skips Starlette's header processing, which costs more than encoding the body."""

    def __init__(
        self, body: bytes, status: int = 200, content_type: bytes | None = b"application/json", headers: Mapping[str, str] | None = None
    ) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body))]
        if content_type is not None:
            self.raw_headers.append((b"content-type", content_type))
        if headers:
            self.raw_headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def reply(obj: object, status: int = 200) -> Response:
    """Answers with `obj` (a msgspec Struct, list, dict, number) as JSON. A Decimal becomes a JSON number with its exact digits; None is
    `null`."""
    return RawResponse(_encode(obj), status)


def empty(status: int) -> Response:
    """Answers without a body. `empty(404)` is the answer for an id that does not exist."""
    return RawResponse(b"", status, None)


def _printable(text: str) -> str:
    # A lone surrogate cannot be encoded, and an error must not fail on its own text.
    return text.encode(errors="replace").decode()
