"""labkit images pull: through a mirror's prefix, retried after lost connections, and with a clear sentence when it cannot work."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine import SecondEngine
from tests.images.conftest import docker, run_labkit
from tests.running import ROOT

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def saved(images: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small images, as files."""
    folder = tmp_path_factory.mktemp("registry")
    docker("save", "--output", str(folder / "all.tar"), "labkit/redis:local", "labkit/services:local")
    subprocess.run(["tar", "-xf", "all.tar"], cwd=folder, check=True)
    (folder / "all.tar").unlink()
    return folder


@contextmanager
def registry(saved: Path, engine: SecondEngine, *names: str, drop: int = 0) -> Iterator[str]:
    """A registry in the engine's network with these images. Yields its prefix."""
    command = engine.inside(sys.executable, "-m", "tests.images.registry", str(saved), *names, "--drop", str(drop))
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield f"127.0.0.1:{port}/mirror/"
        finally:
            process.terminate()


SERVERS = ("mirror/mysql:8.4", "mirror/apache/kafka:4.1.0", "mirror/redis:8")
SERVED = tuple(f"{name}=labkit/redis:local" for name in SERVERS)


def test_what_is_missing_comes_from_the_mirror_again_after_lost_connections(saved: Path, second_engine: SecondEngine) -> None:
    second_engine.remove_images()
    with registry(saved, second_engine, *SERVED, drop=2) as prefix:
        environment = {**second_engine.environment, "LABKIT_REGISTRY": prefix}
        done = run_labkit("images", "pull", ok=False, **environment)
        listed = json.loads(run_labkit("images", "list", "--json", ok=False, **environment).stdout)
    assert done.returncode == 1
    assert f"{prefix}python:3.13-slim: " in done.stderr
    assert {image["reference"] for image in listed["images"] if image["present"]} == {
        *(f"{prefix}{name.removeprefix('mirror/')}" for name in SERVERS)
    }


@pytest.mark.soak
def test_the_services_image_stands_on_the_mirrors_python(saved: Path, second_engine: SecondEngine) -> None:
    second_engine.remove_images()
    names = [*SERVED, "mirror/python:3.13-slim=labkit/services:local"]
    with registry(saved, second_engine, *names, drop=2) as prefix:
        environment = {**second_engine.environment, "LABKIT_REGISTRY": prefix}
        found = json.loads(run_labkit("images", "pull", "--json", ok=True, **environment).stdout)

    assert found["ready"]
    references = {image["kind"]: image["reference"] for image in found["images"]}
    assert references == {
        "mysql": f"{prefix}mysql:8.4",
        "kafka": f"{prefix}apache/kafka:4.1.0",
        "redis": f"{prefix}redis:8",
        "services": "labkit/services:local",
    }
    # The services' image is based on the mirror's Python and works.
    assert (
        second_engine.docker("run", "--rm", "--network", "none", "labkit/services:local", "python", "-c", "import aiomysql; print(1)")
        == "1\n"
    )


def test_a_registry_that_has_it_not_is_not_asked_again(saved: Path, second_engine: SecondEngine) -> None:
    second_engine.remove_images()
    with registry(saved, second_engine, "mirror/redis:8=labkit/redis:local", "mirror/python:3.13-slim=labkit/services:local") as prefix:
        begun = time.monotonic()
        done = run_labkit("images", "pull", ok=False, **second_engine.environment, LABKIT_REGISTRY=prefix)
    assert done.returncode == 1
    assert f"{prefix}mysql:8.4: " in done.stderr
    assert f"{prefix}redis:8: " not in done.stderr
    assert "labkit images build" in done.stderr
    assert "Traceback" not in done.stderr
    assert "try 2" not in done.stdout, f"{time.monotonic() - begun:.0f} s"
    listed = json.loads(run_labkit("images", "list", "--json", ok=False, **second_engine.environment, LABKIT_REGISTRY=prefix).stdout)
    assert [image["kind"] for image in listed["images"] if image["present"]] == ["redis"], "what could be had is kept"


def test_without_a_registry_it_says_what_else_helps(second_engine: SecondEngine) -> None:
    second_engine.remove_images()
    done = run_labkit("images", "pull", ok=False, **second_engine.environment, LABKIT_REGISTRY="127.0.0.1:9/")
    assert done.returncode == 1
    for other in ("labkit images build", "labkit images import FILE", "--runtime native"):
        assert other in done.stderr
    assert "Traceback" not in done.stderr


def test_when_all_is_there_no_registry_is_asked(images: dict[str, Any]) -> None:
    named = {f"LABKIT_{kind.upper()}_IMAGE": f"labkit/{kind}:local" for kind in ("mysql", "kafka", "redis", "services")}
    assert "no network" in run_labkit("images", "pull", ok=True, **named, LABKIT_REGISTRY="127.0.0.1:9/").stdout


def test_a_variable_names_the_image(images: dict[str, Any]) -> None:
    listed = json.loads(run_labkit("images", "list", "--json", ok=False, LABKIT_REDIS_IMAGE="example/redis:1").stdout)
    redis = next(image for image in listed["images"] if image["kind"] == "redis")
    assert (redis["reference"], redis["present"], redis["size"]) == ("example/redis:1", False, None)
    assert not listed["ready"]
