"""labkit images: build, pull, list, export and import the images of the Docker runtime."""

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labkit import docker_engine
from labkit.errors import ExitCode
from labkit.images import catalog, progress_display
from labkit.images.catalog import Image
from labkit.terminal import say


def build(*, database: str | None, fresh: bool, as_json: bool) -> ExitCode:
    """Build the images from packages."""
    from labkit.images.build import build as make

    begun = time.monotonic()
    found = docker_engine.find()
    with progress_display.make(quiet=as_json) as progress:
        built = make(found, progress, database=database, fresh=fresh)
    if as_json:
        return _json({"images": [asdict(one) for one in built], "seconds": round(time.monotonic() - begun, 1)})
    for one in built:
        version = "" if one.kind == "services" else f"{one.server} {one.version}"
        say.line(f"  {one.reference:22}  {version:16}  {say.megabytes(one.size):>7}  {'built' if one.rebuilt else 'unchanged'}")
    rebuilt = sum(one.rebuilt for one in built)
    say.line(f"\n{rebuilt} of {len(built)} images built in {time.monotonic() - begun:.1f} s.\nNext: labkit up --runtime docker")
    return ExitCode.OK


def show(*, as_json: bool) -> ExitCode:
    """List the images that a stack needs and those that the engine has. Exit code 1 if an image is missing."""
    images = catalog.chosen(docker_engine.find())
    missing = catalog.missing(images)
    code = ExitCode.FAIL if missing else ExitCode.OK
    if as_json:
        _json({"images": [_facts(image) for image in images.values()], "ready": not missing})
        return code
    _table(images)
    if missing:
        say.line(f"\n{len(missing)} of {len(images)} are missing.")
        say.line("Next: labkit images pull, labkit images build, or labkit images import FILE")
    else:
        say.line("\nAll images are present: labkit up needs no network.")
    return code


def pull(*, as_json: bool) -> ExitCode:
    """Pull the missing images from a registry."""
    from labkit.images import pull as registry

    found = docker_engine.find()
    missing = catalog.missing(catalog.chosen(found))
    if missing:
        with progress_display.make(quiet=as_json) as progress:
            registry.pull(found, missing, progress)
    return show(as_json=as_json)


def export(file: Path, *, as_json: bool) -> ExitCode:
    """Write all images of a stack to one file."""
    from labkit.images import bundle

    found = docker_engine.find()
    with progress_display.make(quiet=as_json) as progress:
        manifest = bundle.export(found, list(catalog.chosen(found).values()), file.absolute(), progress)
    if as_json:
        return _json(_without_layers(manifest))
    say.line(f"{file}: {_summary(manifest)}, {say.megabytes(file.stat().st_size)}.")
    say.line(f"Next, on the other machine: labkit images import {shlex.quote(file.name)}")
    return ExitCode.OK


def load(file: Path, *, as_json: bool) -> ExitCode:
    """Load all images of a stack from one file, after verifying the entire file."""
    from labkit.images import bundle

    bundle.read(file)  # report a bad file even if no engine runs
    found = docker_engine.find()
    with progress_display.make(quiet=as_json) as progress:
        manifest = bundle.load(found, file, progress)
    if as_json:
        return _json(_without_layers(manifest))
    say.line(f"Imported {_summary(manifest)}.\nNext: labkit up --runtime docker")
    return ExitCode.OK


def _table(images: Mapping[str, Image]) -> None:
    for image in images.values():
        size = say.megabytes(image.size) if image.size else ""
        what = "" if image.description == image.reference else image.description
        say.line(f"  {image.kind:8}  {image.reference:24}  {'have' if image.present else 'need':4}  {size:>7}  {what}".rstrip())


def _facts(image: Image) -> dict[str, Any]:
    facts = asdict(image)
    del facts["layers"]
    return facts


def _summary(manifest: Mapping[str, Any]) -> str:
    versions = ", ".join(image["version"] for image in manifest["images"])
    return f"{len(manifest['images'])} images for {manifest['architecture']} ({versions})"


def _without_layers(manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "images": [{name: value for name, value in image.items() if name != "layers"} for image in manifest["images"]]}


def _json(facts: object) -> ExitCode:
    say.raw(json.dumps(facts, indent=2))
    return ExitCode.OK
