"""Host and origin checks: a request must name this machine, and a page that sends a request must come from this machine.

The ports listen on this machine only, but its browsers run pages of other sites. Such a page may send a POST to any address without
permission; its Origin header reveals it. A page whose own name resolves to this machine can read the answers as well; its Host header
reveals it.
"""

import ipaddress
import re
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from services.web.problem import Problem

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{0,5})?", re.IGNORECASE | re.ASCII)
SAFE = ("GET", "HEAD", "OPTIONS")


class OwnHosts:
    """Accepts requests to a loopback name or address, or to one of `allowed`. A request without a Host header comes from no browser and
    passes."""

    def __init__(self, app: ASGIApp, allowed: Collection[str] = ()) -> None:
        self._app = app
        self._allowed = frozenset(name.lower() for name in allowed)
        self._known: set[bytes] = set()  # accepted headers: there are few, and each request repeats them

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = self._refused(scope) if scope["type"] == "http" else None
        await (problem.response() if problem else self._app)(scope, receive, send)

    def _refused(self, scope: Scope) -> Problem | None:
        for name, value in scope["headers"]:
            if name == b"host":
                if value not in self._known and not self._is_own(value):
                    return Problem(421, f"this is not {_shown(value)}; HTTP_ALLOWED_HOSTS names further hosts that it may be asked as")
            elif name == b"origin":
                scheme, _, host = value.partition(b"://")
                if scheme not in (b"http", b"https") or (host not in self._known and not self._is_own(host)):
                    return Problem(403, f"pages of {_shown(value)} may not ask; HTTP_ALLOWED_HOSTS names further hosts whose pages may")
            elif name == b"sec-fetch-site" and value == b"cross-site" and scope["method"] not in SAFE:
                return Problem(403, "pages of other sites may not change anything here")
        return None

    def _is_own(self, header: bytes) -> bool:
        match = _HOST.fullmatch(header.decode("latin-1"))
        if match is None:
            return False
        name = match["name"].lower()
        own = name in self._allowed or _is_loopback(name)
        if own and len(self._known) < 100:
            self._known.add(header)
        return own


def _is_loopback(name: str) -> bool:
    bare = name.removesuffix(".")
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _shown(header: bytes) -> str:
    return header.decode("latin-1")[:100]
