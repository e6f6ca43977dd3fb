"""labkit's own images fulfil the contracts of the official ones, run as compose.yaml runs them."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit.images import catalog
from tests.composed import COMPOSE as COMPOSE_FILE
from tests.composed import PASSWORD, config
from tests.images.conftest import Container, docker
from tests.running import ROOT, in_soak

pytestmark = pytest.mark.docker
Run = Callable[..., Container]

DATABASE_OPTIONS = ("--user", "999:999", "--tmpfs", "/run/mysqld:uid=999,gid=999", "--env", "MYSQL_ROOT_PASSWORD=it's secret")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())


@pytest.fixture(params=["mysql", *in_soak("mariadb")])
def database(request: pytest.FixtureRequest, images: dict[str, Any]) -> dict[str, Any]:
    """The image of each kind of database."""
    found: dict[str, Any] = images["mysql"] if request.param == "mysql" else request.getfixturevalue("mariadb")
    return found


def answers(container: Container, *, tcp: bool = True) -> bool:
    host = ("--host=127.0.0.1", "--protocol=tcp") if tcp else ()
    return container.succeeds("mysql", *host, "--user=root", "--password=it's secret", "--execute=SELECT 1")


def query(container: Container, sql: str) -> str:
    return container.run(
        "mysql", "--host=127.0.0.1", "--user=root", "--password=it's secret", "--batch", "--skip-column-names", "--execute", sql
    )


def test_a_new_database_makes_its_account_and_runs_the_scripts_once_before_it_listens(
    database: dict[str, Any], run_container: Run, shared_folder: Path
) -> None:
    (shared_folder / "1-tables.sql").write_text("CREATE DATABASE shop;\nUSE shop;\nCREATE TABLE t (a INT);\nINSERT INTO t VALUES (1);\n")
    (shared_folder / "2-wait.sh").write_text(
        'echo "INSERT INTO shop.t VALUES (2);" | docker_process_sql\ntouch /docker-entrypoint-initdb.d/waiting\n'
        "until [ -e /docker-entrypoint-initdb.d/go ]; do sleep 0.05; done\n"
    )
    scripts = ("--volume", f"{shared_folder}:/docker-entrypoint-initdb.d")
    account = ("--env", "MYSQL_DATABASE=own", "--env", "MYSQL_USER=ada", "--env", "MYSQL_PASSWORD=l'ovelace")
    container = run_container(database["reference"], *DATABASE_OPTIONS, *account, *scripts,
                              command=("--log-bin=binlog", "--server-id=1", "--loose-no-such-option=1"))  # fmt: skip
    container.becomes((shared_folder / "waiting").exists, "the scripts run")
    assert not container.succeeds("mysqladmin", "ping", "--host=127.0.0.1", "--protocol=tcp"), "it listens before it is ready"

    (shared_folder / "go").touch()
    container.becomes(lambda: answers(container), "it listens")
    assert query(container, "SELECT a FROM shop.t ORDER BY a").split() == ["1", "2"]
    assert query(container, "SELECT @@log_bin") == "1", "options after the image's name are the server's"

    # The account comes from the variables.
    login = ("mysql", "--host=127.0.0.1", "--user=ada", "--password=l'ovelace")
    container.run(*login, "--execute=CREATE TABLE own.t (a INT)")
    assert not container.succeeds(*login, "--execute=CREATE DATABASE other")

    assert container.stop() == 0
    container.start()
    container.becomes(lambda: answers(container), "it listens again")
    assert query(container, "SELECT COUNT(*) FROM shop.t") == "2"


def test_a_first_start_that_was_killed_begins_again(database: dict[str, Any], run_container: Run, shared_folder: Path) -> None:
    (shared_folder / "1.sql").write_text("CREATE DATABASE shop;\n")
    (shared_folder / "2.sh").write_text(
        "touch /docker-entrypoint-initdb.d/waiting\n[ -e /docker-entrypoint-initdb.d/go ] || sleep infinity\n"
    )
    container = run_container(database["reference"], *DATABASE_OPTIONS, "--volume", f"{shared_folder}:/docker-entrypoint-initdb.d")
    container.becomes((shared_folder / "waiting").exists, "the scripts run")
    container.kill()

    (shared_folder / "go").touch()
    container.start()
    container.becomes(lambda: answers(container), "it listens")
    assert "shop" in query(container, "SHOW DATABASES").split()


def test_a_new_database_wants_a_password(database: dict[str, Any], run_container: Run) -> None:
    container = run_container(database["reference"], "--user", "999:999", "--tmpfs", "/run/mysqld:uid=999,gid=999")
    assert int(docker("wait", container.name)) != 0
    assert "set MYSQL_ROOT_PASSWORD" in container.logs()


def test_the_database_image_holds_no_keys_and_no_server_id(database: dict[str, Any], run_container: Run) -> None:
    kept = docker(
        "run", "--rm", "--entrypoint", "find", database["reference"], "/opt/mysql-data", "-name", "*.pem", "-o", "-name", "auto.cnf"
    )
    assert kept == ""


@cache
def composed(component: str) -> dict[str, Any]:
    """This component's part of compose.yaml, as compose reads it."""
    part = config(COMPOSE_FILE)["services"][component]
    read: dict[str, Any] = json.loads(json.dumps(part).replace("$$", "$"))
    return read


def kafka_options() -> list[str]:
    """The options in compose.yaml."""
    environment = {name: str(value) for name, value in composed("kafka")["environment"].items()}
    environment["KAFKA_ADVERTISED_LISTENERS"] = "HOST://127.0.0.1:9092,INTERNAL://127.0.0.1:29092"
    return ["--user", "1000:1000", *(word for name, value in environment.items() for word in ("--env", f"{name}={value}"))]


def is_listening(container: Container, port: int) -> bool:
    return container.succeeds("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}")


def test_kafka_takes_its_settings_from_the_environment_and_starts_from_its_archive(images: dict[str, Any], run_container: Run) -> None:
    seen = ("--env", "KAFKA_A__B___C=x\\y", "--env", "KAFKA_OPTS=-Xlog:class+load:file=/tmp/classes")
    container = run_container(images["kafka"]["reference"], *kafka_options(), *seen)
    container.becomes(lambda: is_listening(container, 9092) and is_listening(container, 29092), "both listeners are open")
    settings = container.run("cat", "/tmp/server.properties").splitlines()
    assert "node.id=1" in settings
    assert "a_b-c=x\\\\y" in settings
    assert "offsets.topic.replication.factor=1" in settings
    assert not [line for line in settings if line.startswith(("heap.", "jvm."))]
    loaded = container.run("cat", "/tmp/classes").splitlines()
    from_archive = [line for line in loaded if "shared objects file (top)" in line]
    assert len(from_archive) > 2000, f"{len(from_archive)} of {len(loaded)} classes"
    meta = container.run("cat", "/var/lib/kafka/data/meta.properties")
    assert f"cluster.id={COMPOSE['services']['kafka']['environment']['CLUSTER_ID']}" in meta.splitlines()
    assert container.stop() in (0, 143), "SIGTERM ends it by itself"

    container.start()
    container.becomes(lambda: is_listening(container, 9092), "it starts again")
    assert container.run("cat", "/var/lib/kafka/data/meta.properties") == meta


def test_redis_answers_other_containers(images: dict[str, Any], run_container: Run) -> None:
    redis = composed("redis")
    login = ("--env", f"REDISCLI_AUTH={PASSWORD}")
    container = run_container(images["redis"]["reference"], "--user", "999:999", *login, command=tuple(redis["command"]))
    container.becomes(lambda: container.succeeds("redis-cli", "ping"), "it answers")
    assert container.run("redis-cli", "config", "get", "appendonly").split()[-1] == "yes"
    address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container.name)
    assert docker("run", "--rm", *login, images["redis"]["reference"], "redis-cli", "-h", address, "ping") == "PONG"
    assert "NOAUTH" in docker("run", "--rm", images["redis"]["reference"], "redis-cli", "-h", address, "ping")


def test_the_services_image_has_all_that_the_services_import(images: dict[str, Any]) -> None:
    walk = (
        "import importlib, pkgutil, services, sys\n"
        "names = [m.name for m in pkgutil.walk_packages(services.__path__, 'services.') if not m.name.endswith('__main__')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "import swagger_ui_bundle\n"
        "print(len(names))"
    )
    options = (
        "--user",
        "4321:4321",
        "--read-only",
        "--network",
        "none",
        "--env",
        "PYTHONPATH=/labkit",
        "--env",
        "PYTHONDONTWRITEBYTECODE=1",
    )
    mounted = ("--volume", f"{ROOT}/services:/labkit/services:ro")
    said = docker("run", "--rm", "--label", "labkit.stack=tests", *options, *mounted, images["services"]["reference"], "python", "-c", walk)
    assert int(said) > 20


def test_what_is_built_says_what_it_is(images: dict[str, Any], mariadb: dict[str, Any]) -> None:
    for image in (*images.values(), mariadb):
        labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", image["reference"]))
        assert labels["labkit.image"] == image["kind"]
        assert labels["labkit.server"] == image["server"]
        assert re.fullmatch(r"\d+\.\d+(\.\d+)?", labels["labkit.version"]), labels
        assert docker("inspect", "--format", "{{.Config.User}}", image["reference"]) not in ("", "0", "root")


def test_the_catalog_names_what_compose_names() -> None:
    for kind, reference in catalog.OFFICIAL.items():
        assert COMPOSE["services"][kind]["image"] == f"${{{catalog.variable(kind)}:-${{LABKIT_REGISTRY:-}}{reference}}}"
