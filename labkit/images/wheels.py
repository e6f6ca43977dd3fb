"""Fetch Python wheels for the services' image, for the image's Python version and architecture."""

import sys
from collections.abc import Sequence
from pathlib import Path

from labkit.errors import UserError
from labkit.images.parallel_work import Work

PYTHON = "3.13"  # the version in the base image, and in the official image that services/Dockerfile can use
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC = ("manylinux2014", "manylinux_2_28", "manylinux_2_34")


def fetch(requirements: Sequence[str], architecture: str, into: Path, work: Work) -> None:
    """Fetch and unpack the wheels into `into`. Raises UserError when a wheel is unavailable."""
    machine = MACHINES.get(architecture)
    if machine is None:
        raise UserError(f"There are no wheels for the architecture {architecture}, only for {' and '.join(MACHINES)}.")
    platforms = [word for glibc in GLIBC for word in ("--platform", f"{glibc}_{machine}")]
    code, said = work.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--target", into,
         "--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, "--abi", f"cp{PYTHON.replace('.', '')}",
         *platforms, *requirements]
    )  # fmt: skip
    if code != 0:
        raise UserError(
            "Python's packages for the services could not be fetched.",
            "once the network answers, labkit images build; or labkit images import FILE",
            details=[line[:200] for line in said if line.startswith("ERROR")][-4:] or said[-4:],
        )
