"""labkit doctor with a real engine, and with one changed answer of it. Each obstacle stops `labkit up` with the same sentence."""

import datetime
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from labkit.stack import compose
from tests.doctor.examining import BusyPort, examined
from tests.engine_proxy import Change, changed_engine
from tests.running import Labkit

pytestmark = pytest.mark.docker
Changed = Callable[..., Labkit]


@pytest.fixture
def changed(docked: Labkit, engine: str, tmp_path: Path) -> Iterator[Changed]:
    """`changed(path, change)` returns an engine whose answer to the path is changed."""
    with ExitStack() as stack:

        def make(path: str, change: Change) -> Labkit:
            host = stack.enter_context(changed_engine(engine, tmp_path / "changed.sock", {path: change}))
            return Labkit(docked.home, docked.name, {**docked.environment, "DOCKER_HOST": host})

        yield make


def up_refuses(labkit: Labkit, *, sentence: str, next_step: str) -> None:
    done = labkit("up", "--runtime", "docker", ok=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.splitlines() == [sentence, f"Next: {next_step}"]


def with_values(**values: Any) -> Change:
    return lambda answer: {**answer, **values}


def test_an_engine_that_can_be_used(docked: Labkit, engine: str) -> None:
    report = examined(docked)
    assert report.whole["runtime"] == "docker"
    assert report.in_the_way <= {"images"}  # the images may not have been built here yet
    assert report["docker.engine"]["facts"]["host"] == engine
    assert report["docker.compose"]["verdict"] == "ok"
    assert report["memory"]["facts"]["engine_mb"] > report["memory"]["facts"]["needed_sum_mb"]
    assert report["clock.engine"]["verdict"] == "ok"


def test_an_engine_that_is_too_old(changed: Changed) -> None:
    labkit = changed("/version", with_values(Version="19.03.15"))
    found = examined(labkit)["docker.engine"]
    assert (found["verdict"], found["facts"]["kind"]) == ("bad", "old")
    assert found["sentence"] == "The Docker engine is 19.03.15; labkit needs 20.10 or later."
    up_refuses(labkit, sentence=found["sentence"], next_step=f"{found['fix']}; or without Docker: labkit up --runtime native")


def test_an_engine_with_too_little_memory(changed: Changed) -> None:
    labkit = changed("/info", with_values(MemTotal=500_000_000))
    found = examined(labkit)["memory"]
    assert found["verdict"] == "bad"
    assert found["sentence"].startswith("The Docker engine has 500 MB of memory; the stack needs")
    assert "kafka 260" in found["sentence"]
    needs = found["facts"]["needed_sum_mb"]
    up_refuses(labkit, sentence=f"The Docker engine has 500 MB of memory; the stack needs {needs} MB.", next_step=found["fix"])


@pytest.mark.parametrize(("seconds", "way"), [(-300, "5 min behind"), (7230, "2.0 h ahead of")])
def test_an_engine_whose_clock_is_off(changed: Changed, seconds: int, way: str) -> None:
    def shift(info: Any) -> Any:
        told = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
        return {**info, "SystemTime": told.strftime("%Y-%m-%dT%H:%M:%S.%f123Z")}

    found = examined(changed("/info", shift))["clock.engine"]
    assert found["verdict"] == "bad"
    assert f"clock is {way} this machine's" in found["sentence"]


def test_an_engine_of_another_architecture_is_slow_and_has_other_images(changed: Changed) -> None:
    report = examined(changed("/version", lambda answer: {**answer, "Arch": "arm64" if answer["Arch"] == "amd64" else "amd64"}))
    assert report["machine.architecture"]["verdict"] == "note"
    assert "emulated" in report["machine.architecture"]["sentence"]


def test_an_engine_that_tells_only_its_version(changed: Changed) -> None:
    report = examined(changed("/info", lambda _: []))
    assert report.exit_code in (1, 2)
    assert report["docker.engine"]["verdict"] == "ok"


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A separate Docker configuration without plugins."""
    config = tmp_path / "docker"
    (config / "cli-plugins").mkdir(parents=True)
    return config


def _has_compose_of_the_system(docked: Labkit) -> bool:
    """Whether compose is installed for the system; then no configuration can remove it."""
    return any(Path(folder, "docker-compose").exists() for folder in ("/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins"))


def test_compose_is_missing(docked: Labkit, plugins: Path) -> None:
    if _has_compose_of_the_system(docked):
        pytest.skip("this system has compose for every user")
    labkit = Labkit(docked.home, docked.name, {**docked.environment, "DOCKER_CONFIG": str(plugins)})
    found = examined(labkit)["docker.compose"]
    assert (found["verdict"], found["facts"]["kind"]) == ("bad", "no compose")
    assert found["sentence"] == "The docker command has no compose plugin."
    up_refuses(labkit, sentence=found["sentence"], next_step=f"{found['fix']}; or without Docker: labkit up --runtime native")


def test_compose_is_too_old(docked: Labkit, plugins: Path) -> None:
    plugin = plugins / "cli-plugins/docker-compose"
    about = json.dumps({"SchemaVersion": "0.1.0", "Vendor": "Docker Inc.", "Version": "v2.3.3", "ShortDescription": "Docker Compose"})
    plugin.write_text(f"#!/bin/sh\nif [ \"$1\" = docker-cli-plugin-metadata ]; then echo '{about}'; else echo 2.3.3; fi\n")
    plugin.chmod(0o755)
    labkit = Labkit(docked.home, docked.name, {**docked.environment, "DOCKER_CONFIG": str(plugins)})
    found = examined(labkit)["docker.compose"]
    assert (found["verdict"], found["facts"]["kind"]) == ("bad", "old")
    assert found["sentence"] == "Docker Compose is 2.3.3; labkit needs 2.20 or later."
    up_refuses(labkit, sentence=found["sentence"], next_step=f"{found['fix']}; or without Docker: labkit up --runtime native")


def test_no_docker_command(docked: Labkit) -> None:
    labkit = Labkit(docked.home, docked.name, {**docked.environment, "PATH": "/nonexistent"})
    found = examined(labkit)["docker.compose"]
    assert found["verdict"] == "bad"
    assert found["sentence"] == "There is no docker command."
    up_refuses(labkit, sentence=found["sentence"], next_step=f"{found['fix']}; or without Docker: labkit up --runtime native")


def test_images_that_are_missing_are_named_with_their_size(docked: Labkit) -> None:
    labkit = Labkit(docked.home, docked.name, {**docked.environment, "LABKIT_REDIS_IMAGE": "labkit/nobody-has-this:1"})
    report = examined(labkit)
    assert report["images"]["verdict"] == "bad"
    assert "labkit/nobody-has-this:1 (about 140 MB)" in report["images"]["sentence"]
    assert not report["images"]["facts"]["redis"]["present"]
    assert "labkit images import FILE" in report["images"]["fix"]
    assert report["disk"]["facts"]["needed_mb"]["image redis"] == 140


def test_images_of_another_architecture_are_in_the_way(changed: Changed) -> None:
    labkit = changed("/version", lambda answer: {**answer, "Arch": "riscv64"})
    found = examined(labkit)["images"]
    assert found["verdict"] == "bad"
    assert "and the engine is riscv64" in found["sentence"]
    up_refuses(labkit, sentence=found["sentence"], next_step=found["fix"])


@pytest.fixture
def stray_project(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A network and a volume of a stack whose folder is gone. Yields the project's name and the folder."""
    gone, project = tmp_path / "stacks/gone", f"labkit-gone-{os.getpid()}"
    labels = ["--label", f"labkit.directory={gone}", "--label", f"com.docker.compose.project={project}"]
    made = [["volume", f"{project}_mysql"], ["network", f"{project}_default"]]
    for kind, name in made:
        subprocess.run(["docker", kind, "create", *labels, name], check=True, stdout=subprocess.DEVNULL)
    yield project, gone
    for kind, name in made:
        subprocess.run(["docker", kind, "rm", name], check=False, capture_output=True)


def test_what_is_left_of_a_stack_whose_folder_is_gone_is_told_and_the_fix_removes_it(
    docked: Labkit, stray_project: tuple[str, Path]
) -> None:
    project, gone = stray_project
    [found] = [f for f in examined(docked).about("strays.engine") if f["facts"]["project"] == project]
    assert f"1 network, 1 volume of a stack whose folder {gone} is gone" in found["sentence"]
    subprocess.run(found["fix"], shell=True, check=True, stdout=subprocess.DEVNULL)
    assert project not in {f["facts"]["project"] for f in examined(docked).about("strays.engine")}


def test_an_image_that_cannot_be_had_stops_up_with_the_ways_to_get_it(docked: Labkit) -> None:
    """Uses no network: nothing listens on the registry's port."""
    labkit = Labkit(docked.home, docked.name, {**docked.environment, "LABKIT_REDIS_IMAGE": "127.0.0.1:1/labkit/redis:1"})
    done = labkit("up", "--runtime", "docker", ok=False)
    assert done.returncode == 1
    assert "127.0.0.1:1/labkit/redis:1" in done.stderr
    assert "labkit images" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "Report:" not in done.stderr


def test_a_port_that_was_taken_in_the_meantime_is_one_sentence(engine: str, busy_port: BusyPort) -> None:
    """`up` shows the engine's own message about starting a container."""
    create = ["docker", "create", "--publish", f"127.0.0.1:{busy_port.number}:6379", "labkit/redis:local"]
    container = subprocess.run(create, capture_output=True, text=True, check=True).stdout.strip()
    try:
        said = subprocess.run(["docker", "start", container], capture_output=True, text=True, check=False).stderr
    finally:
        subprocess.run(["docker", "rm", "-f", container], check=True, stdout=subprocess.DEVNULL)
    error = compose.explained(said, Path())
    assert error.message.startswith("A port was taken by another program in the meantime")
    assert error.next_step == "labkit up, which takes the next free one"
