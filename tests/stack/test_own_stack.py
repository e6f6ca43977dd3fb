"""Separate stacks: started, interrupted, obstructed, and side by side."""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.servers import kafka
from labkit.stack import port_claims, state
from tests.conftest import RunningStack
from tests.running import ROOT, TIMEOUT, Labkit, in_soak, is_alive, user_cache, wait_until

NEVER_READY = "import time\ntime.sleep(600)\n"


def assert_ready(labkit: Labkit) -> None:
    states = {c["name"]: c["state"] for c in labkit.when_ready()["components"]}
    assert set(states.values()) == {"running"}, states


def with_services(folder: Path) -> Path:
    """The folder with a copy of the services, which tests may change."""
    shutil.copytree(ROOT / "services", folder / "services", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_down_leaves_no_process_and_keeps_the_data(labkit: Labkit) -> None:
    """Also after a reboot, when the recorded pids belong to other processes: here, to this test."""
    labkit("up")
    running = RunningStack(labkit)
    running.sql("insert into customer_db.customer (name, amount) values ('Ada', 15)")
    pids = labkit.processes()
    assert len(pids) == 9
    assert labkit("down").stdout == "own is down. Its data is kept: `labkit up --name own` brings it back.\n"
    assert labkit.processes() == {}
    assert not any(map(is_alive, pids))
    assert {c["state"] for c in labkit.status()["components"]} == {"stopped"}
    for component in ("mysql", "kafka", "supervisor", "orders"):
        (labkit.directory / "processes" / component).write_text(f"{os.getpid()} 00000000-0000-0000-0000-000000000000:1")
    assert {c["state"] for c in labkit.status()["components"]} == {"stopped"}
    labkit("up")
    assert_ready(labkit)
    assert [row["name"] for row in RunningStack(labkit).sql("select name from customer_db.customer")] == ["Ada"]
    labkit("down", "--data")
    assert sorted(path.name for path in labkit.directory.iterdir()) == ["lock"]


@pytest.mark.parametrize("seed", [0, *in_soak(1, 2, 3)])
def test_after_labkit_was_killed_during_up_down_leaves_nothing(labkit: Labkit, seed: int) -> None:
    wanted = random.Random(seed).randint(1, 9)
    with labkit.begin("up") as starting:
        wait_until(lambda: len(labkit.processes()) >= wanted, f"{wanted} processes run")
        starting.kill()
    labkit("down")
    assert labkit.processes() == {}


def test_up_after_labkit_was_killed_during_up(labkit: Labkit) -> None:
    with labkit.begin("up") as starting:
        wait_until(lambda: len(labkit.processes()) >= 3, "3 processes run")
        starting.kill()
    labkit("up")
    assert_ready(labkit)
    assert len(labkit.processes()) == 9


def test_ctrl_c_during_up_stops_what_it_started(labkit: Labkit, tmp_path: Path) -> None:
    """The relay never becomes ready, so `up` runs until it is interrupted."""
    (with_services(tmp_path) / "services" / "relay" / "__main__.py").write_text(NEVER_READY)
    with labkit.begin("up", "--services", str(tmp_path)) as starting:
        wait_until(lambda: len(labkit.processes()) >= 9, "all processes run")
        os.killpg(starting.pid, signal.SIGINT)
        assert starting.wait(TIMEOUT) == 130
    assert labkit.processes() == {}


def test_busy_ports_are_replaced_and_told(labkit: Labkit) -> None:
    wanted = {"gateway": 8081, "mysql": 3306}
    ours = set()
    with contextlib.ExitStack() as opened:
        with port_claims.locked():
            claimed = port_claims.of_others(labkit.directory)  # claimed, although perhaps not in use now
            for name, port in wanted.items():
                busy = opened.enter_context(socket.socket())
                busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    if port not in claimed:
                        busy.bind(("127.0.0.1", port))
                        busy.listen()
                        ours.add(name)
                except OSError:
                    continue  # another process holds it, which serves as well
        said = labkit("up").stdout
    got = {c["name"]: int(c["endpoint"].rpartition(":")[2]) for c in labkit.status()["components"] if c["endpoint"]}
    for name, port in wanted.items():
        if name not in ours and got[name] == port:  # its holder stopped before this stack chose
            assert port not in port_claims.of_others(labkit.directory)
            continue
        told = re.search(rf"^  {name} .*\n?.*port {port} is held by .*$", said, re.MULTILINE)  # next to it or, when that is too long, below
        assert told is not None, said
        assert got[name] != port
        assert f"(pid {os.getpid()})" in told[0] or name not in ours
    assert_ready(labkit)
    labkit("down")
    labkit("up")  # the default ports are free now, but the stack keeps its own
    again = {c["name"]: int(c["endpoint"].rpartition(":")[2]) for c in labkit.status()["components"] if c["endpoint"]}
    taken = port_claims.of_others(labkit.directory)  # by other test stacks, in the meantime
    assert {name: port for name, port in got.items() if again[name] != port and port not in taken} == {}


@pytest.mark.parametrize(("which", "for_a_moment"), [("controller_port", False), ("port", True)])
def test_a_port_that_is_taken_before_kafka_gets_to_it(labkit: Labkit, which: str, for_a_moment: bool) -> None:
    """The port was free when it was chosen; a JVM needs a second until it listens."""
    starting = labkit.begin("up")
    with socket.socket() as taken:
        wait_until(lambda: any("kafka.Kafka" in command for command in labkit.processes().values()), "Kafka's process runs")
        known = state.read(labkit.directory)
        assert known is not None
        port = known.controller_port if which == "controller_port" else known["kafka"].endpoint.port
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        wait_until(lambda: any(event["event"] == "end" and event["component"] == "kafka" for event in labkit.events()), "Kafka ended")
        if for_a_moment:
            taken.close()
        said, _ = starting.communicate(timeout=TIMEOUT)
    assert starting.returncode == 0, said
    assert_ready(labkit)


def test_a_damaged_class_data_archive_is_removed(
    new_labkit: Callable[..., Labkit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"  # a separate cache: other stacks' JVMs map the archive
    (cache / "archives").mkdir(parents=True)
    for entry in user_cache().iterdir():  # other processes may be writing to the shared one
        if entry.name != "archives" and not entry.name.startswith("making-"):
            (cache / entry.name).symlink_to(entry)
    good = next((user_cache() / "archives").glob("*.jsa"))
    monkeypatch.setenv("LABKIT_CACHE", str(cache))
    server = kafka.find()
    assert server is not None
    damaged = kafka.archive_place(server)
    damaged.write_bytes(good.read_bytes()[:20_000_000])
    labkit = new_labkit("own", LABKIT_CACHE=str(cache))
    done = labkit("up", ok=False)
    assert done.returncode == 1
    assert done.stderr.startswith("✗ kafka ended at once by signal ")
    assert "labkit removed the stale archive." in done.stderr
    assert done.stderr.splitlines()[-1] == "Next: labkit up --name own"
    assert not damaged.exists()


def gateway_of(labkit: Labkit) -> int:
    return int(RunningStack(labkit).url("gateway").rpartition(":")[2])


def test_two_stacks_side_by_side_and_a_port_whose_holder_was_killed_stays_its_stacks(new_labkit: Callable[..., Labkit]) -> None:
    one, other = new_labkit("one"), new_labkit("other")
    starting = [one.begin("up"), other.begin("up")]
    for process in starting:
        said, _ = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, said
    ports = [{str(c["endpoint"]) for c in labkit.status()["components"] if c["endpoint"]} for labkit in (one, other)]
    assert not ports[0] & ports[1]
    bits = [(labkit.directory / "stack.json").read_text().partition('"address_bits": ')[2].split(",")[0] for labkit in (one, other)]
    assert bits[0] != bits[1]

    # When it restarts, the other stack reaches the lower port first.
    lower, higher = sorted((one, other), key=gateway_of)
    gateway = gateway_of(lower)
    higher("down")
    assert higher.processes() == {}
    assert_ready(lower)
    RunningStack(lower).kill("gateway")
    higher("up")
    assert gateway_of(higher) != gateway
    lower("up")
    assert gateway_of(lower) == gateway
    lower("down")
    assert port_claims.of_others(higher.directory).get(gateway) != lower.directory  # free again for any stack
    assert_ready(higher)


# a learner's own services: the shared stack runs from their folder


@pytest.fixture(scope="module")
def folder(shared_stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield with_services(tmp_path_factory.mktemp("own") / "a folder")
    shared_stack.labkit("up", "--services", str(ROOT))


@pytest.fixture
def services(stack: RunningStack, folder: Path) -> Iterator[Path]:
    """The stack runs from these services, which the test may break."""
    stack.labkit("up", "--services", str(folder))
    yield folder / "services"
    shutil.rmtree(folder / "services")
    with_services(folder)


def test_services_run_from_the_folder_that_was_asked_for(stack: RunningStack, folder: Path) -> None:
    before = stack.pids()
    shown = stack.labkit("up", "--services", str(folder)).stdout
    assert "Started customers, orders, order-history, relay and gateway; the rest was running." in shown
    after = stack.pids()
    assert {name for name in after if after[name] == before[name]} == {"mysql", "kafka", "redis", "supervisor"}
    assert {os.readlink(f"/proc/{after[name]}/cwd") for name in ("customers", "gateway")} == {str(folder)}  # noqa: PTH115
    edited = folder / "services" / "orders" / "domain.py"
    whole = edited.read_text()
    edited.write_text(f"{whole}# edited\n")
    assert "files changed since" in stack.labkit("up").stdout
    edited.write_text(whole)


def test_ctrl_c_during_a_repair_leaves_what_ran_before(services: Path, stack: RunningStack) -> None:
    """The relay never becomes ready, so `up` runs until it is interrupted."""
    before = stack.pids()
    (services / "relay" / "__main__.py").write_text(NEVER_READY)
    for component in ("kafka", "relay"):
        stack.kill(component)
    runtime = stack.runtime
    with stack.labkit.begin("up") as repairing:
        wait_until(lambda: {"kafka", "relay"} <= runtime.running(), "both are started")
        os.killpg(repairing.pid, signal.SIGINT)
        assert repairing.wait(TIMEOUT) == 130
    after = stack.pids()
    assert {name for name in after if after[name] != before[name]} == {"kafka", "relay"}
    assert (after["kafka"], after["relay"]) == (None, None)


def test_a_port_that_is_taken_while_the_stack_starts_is_replaced(services: Path, stack: RunningStack, tmp_path: Path) -> None:
    """On its first start the relay finds its port taken by another program: a listener that it starts itself, which outlives it."""
    taker = tmp_path / "taker.pid"
    main = services / "relay" / "__main__.py"
    main.write_text(_OTHERS_WERE_QUICKER.format(taker=str(taker)) + main.read_text())
    try:
        stack.kill("relay")
        stack.labkit("up")
        assert_ready(stack.labkit)
        pid, port = map(int, taker.read_text().split())
        assert next(c for c in stack.labkit.status()["components"] if c["name"] == "relay")["endpoint"] != f"http://127.0.0.1:{port}"
        os.kill(pid, 0)  # it listened throughout
    finally:
        os.kill(int(taker.read_text().split()[0]), signal.SIGKILL)


_OTHERS_WERE_QUICKER = """
import os, pathlib, socket, subprocess, sys
taker = pathlib.Path({taker!r})
if not taker.exists():
    taken = socket.create_server(("127.0.0.1", int(os.environ["HTTP_PORT"])))
    os.set_inheritable(taken.fileno(), True)
    clean = {{name: value for name, value in os.environ.items() if not name.startswith("LABKIT_")}}
    sleeper = subprocess.Popen(
        ["sleep", "600"], pass_fds=[taken.fileno()], env=clean, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    taker.write_text(f"{{sleeper.pid}} {{os.environ['HTTP_PORT']}}")
    sys.exit(3)
"""


def test_a_service_that_cannot_start_is_named_with_its_log(services: Path, stack: RunningStack) -> None:
    (services / "orders" / "__main__.py").write_text("raise RuntimeError('a learner was here')\n")
    stack.kill("orders")
    done = stack.labkit("up", ok=False)
    assert done.returncode == 1
    first, *rest = done.stderr.splitlines()
    assert first == "✗ orders ended at once: RuntimeError in services/orders/__main__.py, line 1: a learner was here."
    assert any("last lines of its log (labkit logs orders)" in line for line in rest)
    assert any("RuntimeError: a learner was here" in line for line in rest)
    assert rest[-1].startswith("Next: ")
    assert "Traceback" not in done.stderr.partition("last lines")[0]
    stack.labkit("up", "--services", str(ROOT))
    assert_ready(stack.labkit)


def test_a_changed_schema_is_brought_to_the_database(services: Path, stack: RunningStack) -> None:
    with (services / "orders" / "schema.sql").open("a") as schema:
        schema.write("\nCREATE TABLE IF NOT EXISTS saga_instance (id BIGINT PRIMARY KEY);\n")
    stack.labkit("up")
    assert stack.sql("select * from order_db.saga_instance") == []
    with (services / "orders" / "schema.sql").open("a") as schema:
        schema.write("\nCREATE TABEL IF NOT EXISTS nonsense (id BIGINT PRIMARY KEY);\n")
    done = stack.labkit("up", ok=False)
    assert done.returncode == 1
    assert "The tables of the services could not be created: " in done.stderr
    assert "CREATE TABEL IF NOT EXISTS nonsense" in done.stderr
    stack.sql("drop table order_db.saga_instance")
