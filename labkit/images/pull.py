"""Pull the official images from a registry, in parallel and with retries, and build the services' image on the official Python image."""

import http.client
import json
import shutil
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.docker_engine import Engine
from labkit.errors import UserError
from labkit.images import catalog, progress_display, recipes, wheels
from labkit.images.catalog import Image
from labkit.images.parallel_work import ImageProgress, Work, timed
from labkit.servers.cache import scratch_dir
from labkit.unix_connection import UnixConnection

if TYPE_CHECKING:
    from labkit.preparation_report import Preparing

PYTHON = "python:3.13-slim"  # base of the services' image where a registry is reachable
TRIES = 4
FIRST_PAUSE_S = 1.0  # doubled after each attempt
SILENT_S = 60.0  # if the engine is silent for so long, it has lost the registry

# Errors that a retry does not fix.
HOPELESS = ("manifest unknown", "not found", "denied", "unauthorized", "toomanyrequests", "no matching manifest", "invalid reference")


def get_missing(engine: Engine, images: Mapping[str, Image], told: "Preparing") -> None:
    """Pull the images that a stack needs and the engine lacks. Uses no network when all are present. Raises UserError with alternatives."""
    lacking = catalog.missing(images)
    if not lacking:
        return
    told.preparing(f"images ({', '.join(image.reference for image in lacking)})")
    with progress_display.make() as progress:
        pull(engine, lacking, progress)


def pull(engine: Engine, images: list[Image], progress: ImageProgress) -> None:
    """Pull all of these images, or raise UserError. Ctrl-C also ends the pulls in the engine."""
    plain = {i.reference for i in images if i.kind != catalog.SERVICES or i.reference != recipes.load(recipes.SERVICES).image}
    services = next((i for i in images if i.reference not in plain), None)
    python = catalog.official(PYTHON)
    if services is not None and not catalog.on_engine(engine, {catalog.SERVICES: python})[catalog.SERVICES].present:
        plain.add(python)
    failed: dict[str, str] = {}
    with Work(progress) as work:
        work.wait_for(*(work.begin(_pull_patiently, engine, reference, work, failed) for reference in sorted(plain)))
        if failed:
            raise _not_had(failed)
        if services is not None:
            with scratch_dir("services") as scratch:
                _build_services(engine, services.reference, python, Path(scratch), work)


def _not_had(failed: Mapping[str, str]) -> UserError:
    many = len(failed) > 1
    return UserError(
        f"{len(failed)} images are missing and cannot be pulled:" if many else "An image is missing and cannot be pulled:",
        "labkit images build (from packages, on Debian), labkit images import FILE (from another machine), "
        "LABKIT_REGISTRY=MIRROR/ labkit images pull; or without Docker: labkit up --runtime native",
        details=[f"{reference}: {why[:200]}" for reference, why in sorted(failed.items())],
    )


def _pull_patiently(engine: Engine, reference: str, work: Work, failed: dict[str, str]) -> None:
    """Pull one image with retries. The final error goes to `failed`, so that the other pulls continue."""
    short, pause = reference.rpartition("/")[2], FIRST_PAUSE_S
    for attempt in range(1, TRIES + 1):
        try:
            with timed(work.progress, short, "pulled"):
                _pull_once(engine, reference, short, work)
            failed.pop(reference, None)
            return
        except PullFailed as error:
            failed[reference] = str(error)
            if attempt == TRIES or any(word in str(error).lower() for word in HOPELESS):
                return
        work.progress.state(short, f"lost the connection to the registry, try {attempt + 1} of {TRIES} in {pause:.0f} s")
        work.pause(pause)
        pause *= 2


class PullFailed(Exception):
    """The engine's error for one attempt."""


def _pull_once(engine: Engine, reference: str, short: str, work: Work) -> None:
    layers: dict[str, tuple[int, int]] = {}
    for line in _said(engine, reference, work):
        if "error" in line:
            raise PullFailed(str(line["error"]))
        detail = line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and detail.get("total"):
            layers[line["id"]] = (detail.get("current", 0), detail["total"])
        elif line.get("id") in layers and line.get("status") in ("Download complete", "Pull complete"):
            layers[line["id"]] = (layers[line["id"]][1],) * 2
        what = "unpacking" if line.get("status") == "Extracting" else "pulling"
        work.progress.state(short, what, sum(done for done, _ in layers.values()), sum(total for _, total in layers.values()))


def _said(engine: Engine, reference: str, work: Work) -> Iterator[dict[str, Any]]:
    """Yield the engine's progress messages of a pull. Stopping the work closes the connection, which ends the pull."""
    repository, tag = _parts(reference)
    query = urllib.parse.urlencode({"fromImage": repository, "tag": tag})
    connection = UnixConnection(str(engine.socket), SILENT_S)
    try:
        connection.connect()
        with work.interrupting(connection.sock):
            connection.request("POST", f"/images/create?{query}", headers=_credentials(repository))
            response = connection.getresponse()
            if response.status != 200:
                answer = response.read().decode(errors="replace")
                raise PullFailed(_message(answer))
            for line in response:
                if line.strip():
                    yield json.loads(line)
    except (OSError, http.client.HTTPException, ValueError) as error:
        work.check()
        raise PullFailed(f"the engine aborted: {error}") from None
    finally:
        connection.close()
    work.check()


def _message(answer: str) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.strip()


def _parts(reference: str) -> tuple[str, str]:
    """Split a reference into the repository and the tag or digest."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    folder, slash, last = reference.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{folder}{slash}{name}", tag or "latest"


def _credentials(repository: str) -> dict[str, str]:
    """Return the credentials from `docker login`, for mirrors that require them."""
    from docker import auth

    registry, _ = auth.resolve_repository_name(repository)
    try:
        known = auth.load_config().resolve_authconfig(registry)
    except Exception:  # a credential helper failed; the registry may not require credentials
        return {}
    return {"X-Registry-Auth": auth.encode_header(known).decode()} if known else {}


def _build_services(engine: Engine, image: str, base: str, scratch: Path, work: Work) -> None:
    """Build on the official Python image: the same Dockerfile as for a build from packages, but without packages."""
    import tarfile

    from labkit.images.build import docker_build

    recipe = recipes.load(recipes.SERVICES)
    begun = time.monotonic()
    work.progress.state("services", "fetching Python's packages")
    site = work.begin(wheels.fetch, recipe.requirements, engine.architecture, scratch / "site", work)
    work.wait_for(site)
    shutil.copy(recipe.folder / "Dockerfile", scratch)
    with tarfile.open(scratch / "packages.tar", "w"):
        pass
    labels = {"labkit.version": PYTHON.partition(":")[2], "labkit.server": "services", "labkit.recipe": recipe.digest(engine.architecture)}
    building = work.begin(docker_build, engine, image, scratch, labels, work, {"BASE": base})
    work.progress.state("services", "building the image")
    work.wait_for(building)
    work.progress.finished("services", "image", time.monotonic() - begun)
