"""Serving with uvicorn, on uvloop and httptools."""

import signal
import sys
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from starlette.applications import Starlette

from services.log import warnings_in_our_log
from services.settings import Settings
from services.web.hosts import OwnHosts
from services.web.log import uvicorn_in_our_log
from services.web.protocol import Protocol
from services.workshop import begin_again


def serve(app: Starlette) -> None:
    """Serve `app` on HTTP_HOST:HTTP_PORT, for requests that name this machine or one of HTTP_ALLOWED_HOSTS.

    SIGTERM or SIGINT ends it: requests in progress get at most 2 s, then the process exits with 0. SIGHUP does the same, then starts again
    with the current files (see begin_again.py). Wrong settings end the process with one log line.
    """
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
    allowed = settings.text("HTTP_ALLOWED_HOSTS", " ").replace(",", " ").split()
    settings.check()
    uvicorn_in_our_log()
    warnings_in_our_log()
    # uvicorn raises the signal again when it is done; a requested stop must not count as death by a signal.
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    begin_again.on_hangup()
    try:
        uvicorn.run(OwnHosts(app, allowed), **options)
    finally:
        begin_again.if_asked_to()


def _stop(_: int, __: FrameType | None) -> NoReturn:
    sys.exit(0)
