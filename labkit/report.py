"""The report on an unexpected error: what a maintainer would ask for, ready to paste."""

import platform
import sys
import time
import traceback
from importlib import metadata
from pathlib import Path

from labkit import paths


def write_report(error: BaseException, arguments: list[str]) -> Path:
    """Returns where it is."""
    text = "\n".join(
        [
            f"command   labkit {' '.join(arguments)}",
            f"labkit    {_version()}",
            f"python    {sys.version.split()[0]} on {platform.platform()}",
            f"time      {time.strftime('%Y-%m-%d %H:%M:%S %z')}",
            "",
            *traceback.format_exception(error),
        ]
    )
    path = paths.make_private(paths.home() / "reports") / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1_000_000:06}.txt"
    paths.write(path, text)
    return path


def _version() -> str:
    try:
        return metadata.version("labkit")
    except metadata.PackageNotFoundError:
        return "not installed"
