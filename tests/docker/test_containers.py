"""The containers of a stack: their settings, what they expose, and the use of the compose file by hand."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from labkit import docker_engine
from labkit.servers import kafka_settings, mysql
from labkit.stack import accounts, compose
from tests.composed import COMPOSE, PASSWORD, config
from tests.conftest import RunningStack
from tests.e2e.shop import new_customer, new_order, settled
from tests.running import COMPONENTS, ROOT, TIMEOUT, Labkit

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return docker.DockerClient(base_url=docker_engine.find().host)


def test_the_compose_file_is_clean_and_says_what_it_must() -> None:
    services = config(COMPOSE)["services"]
    assert sorted(services) == sorted(COMPONENTS)
    for name, service in services.items():
        assert service["restart"] == "no"
        assert service["labels"] == {"labkit.stack": "default", "labkit.component": name}
        assert {port["host_ip"] for port in service["ports"]} == {"127.0.0.1"}
        assert service["user"].split(":")[0] not in ("0", "root")
        assert int(service["mem_limit"]) > 0
        assert service["healthcheck"]["test"]
    limits = sum(int(service["mem_limit"]) for service in services.values())
    assert limits < 4e9, "half of an 8 GB laptop"


def test_a_mirror_is_one_prefix() -> None:
    services = config(COMPOSE, LABKIT_REGISTRY="mirror.example/hub/")["services"]
    images = {services[name]["image"].rpartition(":")[0] for name in ("mysql", "kafka", "redis")}
    assert images == {"mirror.example/hub/mysql", "mirror.example/hub/apache/kafka", "mirror.example/hub/redis"}


def test_the_servers_settings_are_those_of_the_native_runtime() -> None:
    services = config(COMPOSE)["services"]
    broker = services["kafka"]["environment"]
    assert {name: broker[f"KAFKA_{name.upper().replace('.', '_')}"] for name in kafka_settings.SETTINGS} == {
        name: str(value) for name, value in kafka_settings.SETTINGS.items()
    }
    options = {option.replace("--loose-", "--") for option in services["mysql"]["command"]}
    native = {option.replace("--loose-", "--") for option in (*mysql.COMMON, *mysql.MARIADB, *mysql.MYSQL)}
    # A container listens on its network. The image decides the size of the redo log and the amount of logging.
    assert native - options == {
        "--bind-address=127.0.0.1",
        "--innodb-log-file-size=48M",
        "--log-warnings=1",
        "--log-error-verbosity=2",
    }
    assert "--secure-file-priv=/run/mysql-files" in options


def test_by_hand_it_wants_a_password() -> None:
    command = ["docker", "compose", "--file", str(COMPOSE), "config", "--quiet"]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "LABKIT_PASSWORD" in done.stderr


def test_nothing_runs_as_root_or_listens_elsewhere(stack: RunningStack, client: docker.DockerClient) -> None:
    project = compose.project_of(stack.labkit.directory)
    containers = client.containers.list(filters={"label": f"com.docker.compose.project={project}"})
    assert len(containers) == len(COMPONENTS)
    for container in containers:
        name = container.labels["com.docker.compose.service"]
        users = {uid for _, uid, *_ in container.top(ps_args="-eo pid,uid,args")["Processes"]}
        assert "0" not in users, (name, users)
        assert container.attrs["HostConfig"]["Privileged"] is False
        assert container.attrs["HostConfig"]["ReadonlyRootfs"] or name == "kafka"
        published = [at for ports in container.attrs["NetworkSettings"]["Ports"].values() for at in ports or []]
        assert {at["HostIp"] for at in published} == {"127.0.0.1"}


def test_no_secret_but_the_stacks_own(stack: RunningStack, client: docker.DockerClient) -> None:
    project, own = compose.project_of(stack.labkit.directory), set(accounts.secrets_of(stack.labkit.directory))
    for container in client.containers.list(filters={"label": f"com.docker.compose.project={project}"}):
        environment = dict(entry.split("=", 1) for entry in container.attrs["Config"]["Env"])
        secrets = {value for name, value in environment.items() if any(word in name for word in ("PASSWORD", "SECRET", "TOKEN", "KEY"))}
        assert secrets <= own
        shown = str(container.attrs["Config"]["Cmd"]) + str(container.attrs["Config"].get("Healthcheck")) + str(container.top())
        assert not [secret for secret in own if secret in shown], "a command line is everybody's to read"


@pytest.fixture
def by_hand() -> Iterator[dict[str, str]]:
    """The compose file as a person runs it, on separate ports."""
    ports = {f"LABKIT_{name.upper().replace('-', '_')}_PORT": str(24000 + n) for n, name in enumerate(COMPONENTS)}
    images = {
        kind: os.environ.get(f"LABKIT_{kind.upper()}_IMAGE") or f"labkit/{kind}:local" for kind in ("mysql", "kafka", "redis", "services")
    }
    environment = {
        **os.environ,
        **ports,
        "LABKIT_PASSWORD": PASSWORD,
        "LABKIT_PROJECT": f"labkit-by-hand-{os.getpid()}",
        **{f"LABKIT_{k.upper()}_IMAGE": image for k, image in images.items()},
    }
    yield environment
    compose_by_hand(environment, "down", "--volumes", "--timeout", "2")


def compose_by_hand(environment: dict[str, str], *words: str) -> None:
    done = subprocess.run(
        ["docker", "compose", "--file", str(COMPOSE), *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_compose_file_works_by_hand(by_hand: dict[str, str]) -> None:
    compose_by_hand(by_hand, "up", "--wait", "--no-build", "--pull", "never")
    gateway = f"http://127.0.0.1:{by_hand['LABKIT_GATEWAY_PORT']}"
    assert settled(gateway, new_order(gateway, new_customer(gateway, "15.00"), "12.34")) == ("APPROVED", None)


def works(labkit: Labkit) -> None:
    gateway = next(str(c["endpoint"]) for c in labkit.when_ready()["components"] if c["name"] == "gateway")
    assert settled(gateway, new_order(gateway, new_customer(gateway, "15.00"), "12.34")) == ("APPROVED", None)


@pytest.mark.soak  # in CI, stacks of both runtimes run next to each other all the time
def test_stacks_side_by_side_on_each_runtime_and_an_edit_is_taken_over_by_restart(
    stack: RunningStack, labkit_home: Path, tmp_path: Path, client: docker.DockerClient
) -> None:
    """Next to the shared stack: a native one, and one on Docker whose services a learner edits."""
    shutil.copytree(ROOT / "services", tmp_path / "services", ignore=shutil.ignore_patterns("__pycache__"))
    shared = stack.labkit
    native = Labkit(labkit_home, "one", {"LABKIT_RUNTIME": "native"})
    edited = Labkit(labkit_home, "two", {"LABKIT_RUNTIME": "docker"})
    try:
        beginning = [native.begin("up"), edited.begin("up", "--services", str(tmp_path))]
        for process in beginning:
            said, _ = process.communicate(timeout=TIMEOUT)
            assert process.returncode == 0, said
        endpoints = {c["endpoint"] for labkit in (shared, native, edited) for c in labkit.status()["components"] if c["endpoint"]}
        assert len(endpoints) == 3 * len(COMPONENTS)

        handlers = tmp_path / "services" / "customers" / "handlers.py"
        handlers.write_text(handlers.read_text() + '\nprint("edited by a learner", flush=True)\n')
        edited("restart", "customers")
        assert "edited by a learner" in edited("logs", "customers").stdout
        assert "edited by a learner" not in shared("logs", "customers").stdout

        assert left_of(client, edited)
        edited("down", "--data")
        assert not left_of(client, edited)
        for labkit in (native, shared):
            works(labkit)
        native("down")
        works(shared)
    finally:
        for labkit in (native, edited):
            labkit("down", "--data")
    assert left_of(client, shared)


def left_of(client: docker.DockerClient, labkit: Labkit) -> list[Any]:
    label = {"label": f"com.docker.compose.project={compose.project_of(labkit.directory)}"}
    return [*client.containers.list(all=True, filters=label), *client.networks.list(filters=label), *client.volumes.list(filters=label)]
