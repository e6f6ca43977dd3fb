"""The report on an unexpected error: what a maintainer needs, ready to paste."""

import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from labkit import paths
from labkit.errors import words_of


def write_report(error: BaseException, arguments: list[str]) -> Path | None:
    """Write the report. Return its path, or None if it cannot be written anywhere. Never raises."""
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1_000_000:06}.txt"
    with suppress(Exception):
        text = "\n".join(_lines(error, arguments)).encode(errors="backslashreplace").decode()
        for folder in (paths.home() / "reports", Path(tempfile.gettempdir())):
            with suppress(Exception):
                path = folder / (name if folder.name == "reports" else f"labkit-{name}")
                if folder.name == "reports":
                    paths.make_private(folder)
                paths.write_private(path, text)
                return path
    return None


def _lines(error: BaseException, arguments: list[str]) -> Iterator[str]:
    yield f"command   labkit {' '.join(arguments)}"
    yield f"labkit    {_version()}"
    yield f"python    {sys.version.split()[0]} on {platform.platform()}"
    yield f"time      {time.strftime('%Y-%m-%d %H:%M:%S %z')}"
    yield ""
    try:
        yield from traceback.format_exception(error)
    except Exception:
        yield words_of(error)


def _version() -> str:
    try:
        return metadata.version("labkit")
    except metadata.PackageNotFoundError:
        return "not installed"
