"""The images that a stack uses, and their state on the engine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit import docker_engine
from labkit.docker_engine import Engine
from labkit.errors import UserError
from labkit.images import recipes

MYSQL, KAFKA, REDIS, SERVICES = "mysql", "kafka", "redis", "services"

# The defaults of compose.yaml. labkit always builds the services' image, on top of Debian's Python or the official Python image.
OFFICIAL = {MYSQL: "mysql:8.4", KAFKA: "apache/kafka:4.1.0", REDIS: "redis:8"}
OURS = {
    MYSQL: (recipes.MYSQL, recipes.MARIADB),
    KAFKA: (recipes.KAFKA,),
    REDIS: (recipes.REDIS,),
    SERVICES: (recipes.SERVICES,),
}
REGISTRY_VARIABLE = "LABKIT_REGISTRY"
ASK_TIMEOUT = 20.0  # seconds; a busy engine takes a while to list its images

# The environment variables in which official images state their version.
_VERSION_VARIABLES = ("MYSQL_VERSION", "MARIADB_VERSION", "REDIS_VERSION", "VALKEY_VERSION", "KAFKA_VERSION")
_SERVERS = {MYSQL: "MySQL", KAFKA: "Kafka", REDIS: "Redis", SERVICES: "services"}


@dataclass(frozen=True)
class Image:
    """The image for one kind of component. Size (bytes), architecture and layers are missing when the engine does not have it.

    `built` means that labkit built it from packages. `description` is for example "MySQL 9.7.4".
    """

    kind: str
    reference: str
    present: bool
    built: bool
    description: str
    size: int | None = None
    architecture: str | None = None
    layers: tuple[str, ...] = ()


def chosen(found: Engine) -> dict[str, Image]:
    """Choose one image for each kind. Raises UserError when an image is for another architecture.

    The order is: the image that a variable names; the official image if the engine has it; labkit's own image if the engine has it; the
    official image, which must then be pulled.
    """
    there = _on(found)
    images = {kind: _describe(found, kind, _reference(kind, there), there) for kind in OURS}
    for image in images.values():
        if image.present and image.architecture != found.architecture:
            raise UserError(
                f"The image {image.reference} is for {image.architecture}, and the engine is {found.architecture}.",
                f"docker rmi {image.reference}, then labkit images build",
            )
    return images


def on_engine(found: Engine, references: Mapping[str, str]) -> dict[str, Image]:
    """Return the engine's image for each of these references, by kind."""
    there = _on(found)
    return {kind: _describe(found, kind, reference, there) for kind, reference in references.items()}


def official(reference: str) -> str:
    """Return the reference with the prefix from LABKIT_REGISTRY, if that is set."""
    return os.environ.get(REGISTRY_VARIABLE, "") + reference


def variable(kind: str) -> str:
    return f"LABKIT_{kind.upper()}_IMAGE"


def missing(images: Mapping[str, Image]) -> list[Image]:
    return [image for image in images.values() if not image.present]


def _reference(kind: str, there: Mapping[str, Any]) -> str:
    if named := os.environ.get(variable(kind)):
        return named
    ours = [recipes.load(recipe).image for recipe in OURS[kind]]
    candidates = [*([official(OFFICIAL[kind])] if kind in OFFICIAL else []), *ours]
    return next((reference for reference in candidates if _normal(reference) in there), candidates[0])


def _on(found: Engine) -> dict[str, str]:
    """Return the engine's images: name to id."""
    try:
        listed = docker_engine.get(found.host, "/images/json", timeout=ASK_TIMEOUT)
    except OSError as error:
        raise UserError(f"The Docker engine does not list its images: {error}", "labkit doctor") from None
    return {
        _normal(name): str(image["Id"]) for image in listed for name in (*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ()))
    }


def _describe(found: Engine, kind: str, reference: str, there: Mapping[str, str]) -> Image:
    identity = there.get(_normal(reference))
    if identity is None:
        return Image(kind, reference, present=False, built=False, description=reference)
    try:
        details = docker_engine.get(found.host, f"/images/{identity}/json", timeout=ASK_TIMEOUT)
    except OSError as error:
        raise UserError(f"The Docker engine does not describe {reference}: {error}", "labkit doctor") from None
    labels = details["Config"].get("Labels") or {}
    return Image(
        kind,
        reference,
        present=True,
        built="labkit.recipe" in labels,
        description=_description(kind, reference, labels, details["Config"].get("Env") or []),
        size=int(details["Size"]),
        architecture=str(details["Architecture"]),
        layers=tuple(details["RootFS"].get("Layers") or ()),
    )


def _description(kind: str, reference: str, labels: Mapping[str, str], environment: list[str]) -> str:
    if "labkit.server" in labels:
        return f"{'Python' if kind == SERVICES else labels['labkit.server']} {labels['labkit.version']}"
    values = dict(line.split("=", 1) for line in environment if "=" in line)
    version = next((values[name] for name in _VERSION_VARIABLES if name in values), None)
    if version is None:
        return reference
    server = "MariaDB" if "MARIADB_VERSION" in values else _SERVERS[kind]
    return f"{server} {version.partition('-')[0].partition(':')[2] or version.partition('-')[0]}"


def _normal(reference: str) -> str:
    """Normalize a reference as the engine does: without the default registry, with a tag."""
    name = reference.removeprefix("docker.io/").removeprefix("library/")
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"
