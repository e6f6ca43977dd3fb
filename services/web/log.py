"""Redirects the web server's log to the services' log."""

import logging
import traceback

from services.log import log


def stack(error: BaseException) -> str:
    """The traceback as text that can be encoded."""
    return "".join(traceback.format_exception(error)).encode(errors="replace").decode()


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == "Exception in ASGI application\n":
            return  # the 500 handler has already logged it, with its request
        error = record.exc_info[1] if record.exc_info else None
        log(record.getMessage(), level=record.levelname.lower(), **({"traceback": stack(error)} if error else {}))


def uvicorn_in_our_log() -> None:
    """Send uvicorn's log to ours. Its notes on single malformed requests are left out: the client gets them as answers."""
    logger = logging.getLogger("uvicorn")
    logger.handlers = [_Lines()]
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(lambda record: not record.getMessage().startswith("Invalid HTTP"))
