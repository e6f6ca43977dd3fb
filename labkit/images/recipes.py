"""What an image is made of: the folders of compose/images as data."""

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

FORMAT = 1  # raise it when what labkit itself does with a recipe changes

BASE, REDIS, KAFKA, MYSQL, MARIADB, SERVICES = "base", "redis", "kafka", "mysql", "mariadb", "services"


@dataclass(frozen=True)
class Recipe:
    """One image: `packages` of a Debian `suite` with all they need except `without`, and the Dockerfile's folder."""

    kind: str  # the name of its folder
    folder: Path
    server: str  # as it is said: MySQL, Kafka
    image: str  # labkit/redis:local
    suite: str
    packages: tuple[str, ...]
    without: tuple[str, ...]
    leave_out: tuple[str, ...]  # regular expressions of paths
    version_of: str | None  # the package whose version is the server's
    base: str | None  # the kind of the image that it stands on
    files: Path  # where the files are that the Dockerfile copies
    requirements: tuple[str, ...]  # Python's, with bounds
    jars: bool

    def digest(self, architecture: str) -> str:
        """Of all that decides what is in the image, but for the versions that the packages happen to have."""
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
    """The recipe of an image. UserError when this installation of labkit carries none."""
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
    """`starlette` as `starlette<2,>=1`: with the bounds, and extras, that labkit's own package states."""
    wanted = {_plain(name) for name in names}
    stated = [re.sub(r"\s*;.*", "", line) for line in metadata.requires("labkit") or [] if "extra ==" not in line]
    return tuple(sorted(line for line in stated if _plain(line) in wanted))


def _plain(requirement: str) -> str:
    """`PyMySQL>=1.1.1` is pymysql."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]).lower()


def _kafka_version() -> str:
    from labkit.servers import kafka

    return kafka.VERSION
