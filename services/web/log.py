"""Log lines of the web server: one JSON object a line on stdout."""

import logging
import sys
import time
import traceback

import msgspec


def write(level: str, message: str, **fields: object) -> None:
    """Write one line: `{"time", "level", "message", ...fields}`; `time` is UTC with milliseconds."""
    now = time.time()
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"
    line = {"time": stamp, "level": level, "message": message, **fields}
    sys.stdout.write(msgspec.json.encode(line, enc_hook=str).decode() + "\n")
    sys.stdout.flush()


def stack(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).encode(errors="replace").decode()


class _JsonLines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == "Exception in ASGI application\n":
            return  # the 500 handler wrote it already, with the request that caused it
        fields = {"traceback": stack(record.exc_info[1])} if record.exc_info and record.exc_info[1] else {}
        write(record.levelname.lower(), record.getMessage(), **fields)


def uvicorn_as_json_lines() -> None:
    """Send what uvicorn has to say to our log. Its notes on single bad requests are the client's affair and are left out."""
    logger = logging.getLogger("uvicorn")
    logger.handlers = [_JsonLines()]
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(lambda record: not record.getMessage().startswith("Invalid HTTP"))
