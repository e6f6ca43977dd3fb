"""labkit doctor with a real engine, and with one answer of it changed. What is in the way stops `labkit up` with the same sentence."""

import datetime
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.examining import examined
from tests.engine_proxy import Change, changed_engine
from tests.running import Labkit

pytestmark = pytest.mark.docker
NewLabkit = Callable[..., Labkit]
Changed = Callable[..., Labkit]


@pytest.fixture
def docked(new_labkit: NewLabkit, engine: str) -> Labkit:
    """The command line, for Docker."""
    return new_labkit("own", LABKIT_RUNTIME="docker", DOCKER_HOST=engine)


@pytest.fixture
def changed(docked: Labkit, engine: str, tmp_path: Path) -> Iterator[Changed]:
    """`changed(path, change)`: for an engine whose answer to the path is changed."""
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
    assert report.in_the_way <= {"images"}  # perhaps nobody has built them here yet
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
    """A docker configuration of its own, with no plugin in it."""
    config = tmp_path / "docker"
    (config / "cli-plugins").mkdir(parents=True)
    return config


def _has_compose_of_the_system(docked: Labkit) -> bool:
    """Then no configuration takes it away."""
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
