"""The recipes of the images: the folders of compose/images as data."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.errors import UserError

FORMAT = 1  # increase this when labkit's own processing of a recipe changes

BASE, REDIS, KAFKA, MYSQL, MARIADB, SERVICES = "base", "redis", "kafka", "mysql", "mariadb", "services"


@dataclass(frozen=True)
class Recipe:
    """One image: `packages` of a Debian `suite` with their dependencies except `without`, and the folder of its Dockerfile."""

    kind: str  # the name of its folder
    folder: Path
    server: str  # for people: MySQL, Kafka
    image: str  # for example labkit/redis:local
    suite: str
    packages: tuple[str, ...]
    without: tuple[str, ...]
    leave_out: tuple[str, ...]  # regular expressions that match paths
    version_of: str | None  # the package whose version is the server's version
    base: str | None  # the kind of its base image
    files: Path  # the folder with the files that the Dockerfile copies
    requirements: tuple[str, ...]  # Python packages, with version bounds
    jars: bool

    def digest(self, architecture: str) -> str:
        """Return a digest of everything that determines the image's content, except the current versions of the packages."""
        of = hashlib.sha256()
        about = [
            FORMAT,
            architecture,
            self.suite,
            self.packages,
            self.without,
            self.leave_out,
            self.requirements,
            _kafka_version() if self.jars else None,
        ]
        of.update(json.dumps(about).encode())
        of.update(load(self.base).digest(architecture).encode() if self.base else b"")
        for file in sorted({*self.folder.iterdir(), *self.files.iterdir()}):
            of.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        return of.hexdigest()[:16]


@cache
def load(kind: str) -> Recipe:
    """Return the recipe of an image. Raises UserError when this labkit installation does not include it."""
    import yaml

    folder = paths.compose_directory() / "images" / kind
    try:
        data: dict[str, Any] = yaml.safe_load((folder / "recipe.yaml").read_text())
    except FileNotFoundError:
        raise UserError(f"This installation of labkit has no recipe for {kind} ({folder}).", "install labkit again") from None
    base = load(data["base"]) if "base" in data else None
    return Recipe(
        kind=kind,
        folder=folder,
        server=data["server"],
        image=data["image"],
        suite=data["suite"],
        packages=tuple(data["packages"]),
        leave_out=tuple(data.get("leave_out", ())),
        without=(*data.get("without", ()), *(base.without if base else ())),
        version_of=data.get("version"),
        base=base.kind if base else None,
        files=folder.parent / data.get("files", kind),
        requirements=bounded(tuple(data.get("requirements", ()))),
        jars=bool(data.get("jars")),
    )


def bounded(names: tuple[str, ...]) -> tuple[str, ...]:
    """Add the bounds and extras from labkit's own package metadata: `starlette` becomes `starlette<2,>=1`."""
    wanted = {_plain(name) for name in names}
    stated = [re.sub(r"\s*;.*", "", line) for line in metadata.requires("labkit") or [] if "extra ==" not in line]
    return tuple(sorted(line for line in stated if _plain(line) in wanted))


def _plain(requirement: str) -> str:
    """Return the normalized package name: pymysql for `PyMySQL>=1.1.1`."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]).lower()


def _kafka_version() -> str:
    from labkit.servers import kafka

    return kafka.VERSION
