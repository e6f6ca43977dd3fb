"""Stacks of their own: begun, interrupted, hindered, side by side."""

import contextlib
import os
import random
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.stack import claims
from labkit.stack.servers import kafka
from tests.conftest import RunningStack
from tests.running import ROOT, TIMEOUT, Labkit, is_alive, user_cache, wait_until

NEVER_READY = "import time\ntime.sleep(600)\n"


def assert_ready(labkit: Labkit) -> None:
    states = {c["name"]: c["state"] for c in labkit.when_ready()["components"]}
    assert set(states.values()) == {"running"}, states


def with_services(folder: Path) -> Path:
    """The folder with a copy of the services in it, to be changed."""
    shutil.copytree(ROOT / "services", folder / "services", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_down_leaves_no_process_and_keeps_the_data(labkit: Labkit) -> None:
    labkit("up")
    running = RunningStack(labkit)
    running.sql("insert into customer_db.customer (name, amount) values ('Ada', 15)")
    pids = labkit.processes()
    assert len(pids) == 9
    assert labkit("down").stdout == "own is down. Its data is kept: `labkit up` brings it back.\n"
    assert labkit.processes() == {}
    assert not any(map(is_alive, pids))
    assert {c["state"] for c in labkit.status()["components"]} == {"stopped"}
    labkit("up")
    assert [row["name"] for row in RunningStack(labkit).sql("select name from customer_db.customer")] == ["Ada"]
    labkit("down", "--data")
    assert sorted(path.name for path in labkit.directory.iterdir()) == ["lock"]


@pytest.mark.parametrize("seed", range(4))
def test_after_labkit_was_killed_during_up_down_leaves_nothing(labkit: Labkit, seed: int) -> None:
    starting = labkit.begin("up")
    wanted = random.Random(seed).randint(1, 9)
    wait_until(lambda: len(labkit.processes()) >= wanted, f"{wanted} processes run")
    starting.kill()
    starting.wait()
    labkit("down")
    assert labkit.processes() == {}


def test_up_after_labkit_was_killed_during_up(labkit: Labkit) -> None:
    starting = labkit.begin("up")
    wait_until(lambda: len(labkit.processes()) >= 3, "3 processes run")
    starting.kill()
    starting.wait()
    labkit("up")
    assert_ready(labkit)
    assert len(labkit.processes()) == 9


def test_ctrl_c_during_up_stops_what_it_started(labkit: Labkit, tmp_path: Path) -> None:
    """A relay that never gets ready: `up` does not end before it is interrupted."""
    (with_services(tmp_path) / "services" / "relay" / "__main__.py").write_text(NEVER_READY)
    starting = labkit.begin("up", "--services", str(tmp_path))
    wait_until(lambda: len(labkit.processes()) >= 9, "all processes run")
    os.killpg(starting.pid, signal.SIGINT)
    assert starting.wait(TIMEOUT) == 130
    assert labkit.processes() == {}


def test_ctrl_c_during_a_repair_leaves_what_ran_before(labkit: Labkit, tmp_path: Path) -> None:
    """As above."""
    labkit("up", "--services", str(with_services(tmp_path)))
    running = RunningStack(labkit)
    before = running.pids()
    (tmp_path / "services" / "relay" / "__main__.py").write_text(NEVER_READY)
    for component in ("kafka", "relay"):
        running.kill(component)
    repairing = labkit.begin("up")
    wait_until(lambda: all(running.pids()[name] not in (None, before[name]) for name in ("kafka", "relay")), "both are started")
    os.killpg(repairing.pid, signal.SIGINT)
    assert repairing.wait(TIMEOUT) == 130
    after = running.pids()
    assert {name for name in after if after[name] != before[name]} == {"kafka", "relay"}
    assert (after["kafka"], after["relay"]) == (None, None)


def test_busy_ports_are_replaced_and_told(labkit: Labkit) -> None:
    wanted = {"gateway": 8081, "mysql": 3306}
    ours = set()
    with contextlib.ExitStack() as opened:
        with claims.locked():
            claimed = claims.of_others(labkit.directory)  # and perhaps not listened on, just now
            for name, port in wanted.items():
                busy = opened.enter_context(socket.socket())
                busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    if port not in claimed:
                        busy.bind(("127.0.0.1", port))
                        busy.listen()
                        ours.add(name)
                except OSError:
                    continue  # somebody else holds it: as good
        shown = {line.split()[0]: line for line in labkit("up").stdout.splitlines() if line.startswith("  ")}
    got = {c["name"]: int(c["endpoint"].rpartition(":")[2]) for c in labkit.status()["components"] if c["endpoint"]}
    for name, port in wanted.items():
        if name not in ours and got[name] == port:  # whoever held it went down before this stack chose
            assert port not in claims.of_others(labkit.directory)
            continue
        assert f"port {port} is held by " in shown[name]
        assert got[name] != port
        assert f"(pid {os.getpid()})" in shown[name] or name not in ours
    assert_ready(labkit)


def test_a_port_that_is_taken_while_the_stack_starts_is_replaced(labkit: Labkit, tmp_path: Path) -> None:
    """A relay finds, the first time, that another program was quicker: a listener that it starts itself, which outlives it."""
    with_services(tmp_path)
    taker = tmp_path / "taker.pid"
    main = tmp_path / "services" / "relay" / "__main__.py"
    main.write_text(_OTHERS_WERE_QUICKER.format(taker=str(taker)) + main.read_text())
    try:
        labkit("up", "--services", str(tmp_path))
        assert_ready(labkit)
        pid, port = map(int, taker.read_text().split())
        assert next(c for c in labkit.status()["components"] if c["name"] == "relay")["endpoint"] != f"http://127.0.0.1:{port}"
        os.kill(pid, 0)  # it listened all the time
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


def test_a_service_that_cannot_start_is_named_with_its_log(labkit: Labkit, tmp_path: Path) -> None:
    with_services(tmp_path)
    (tmp_path / "services" / "orders" / "__main__.py").write_text("raise RuntimeError('a learner was here')\n")
    done = labkit("up", "--services", str(tmp_path), ok=False)
    assert done.returncode == 1
    first, *rest = done.stderr.splitlines()
    assert first.startswith("✗ orders did not get ready")
    assert "with exit code 1" in first
    assert any("last lines of its log (labkit logs orders)" in line for line in rest)
    assert any("RuntimeError: a learner was here" in line for line in rest)
    assert rest[-1].startswith("Next: ")
    assert "Traceback" not in done.stderr.partition("last lines")[0]
    labkit("up", "--services", str(ROOT))
    assert_ready(labkit)


def test_services_run_from_the_folder_that_was_asked_for(labkit: Labkit, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    with_services(folder)
    labkit("up")
    running = RunningStack(labkit)
    before = running.pids()
    shown = labkit("up", "--services", str(folder)).stdout
    assert "Started customers, orders, order-history, relay and gateway; the rest ran." in shown
    after = running.pids()
    assert {name for name in after if after[name] == before[name]} == {"mysql", "kafka", "redis", "supervisor"}
    assert {os.readlink(f"/proc/{after[name]}/cwd") for name in ("customers", "gateway")} == {str(folder)}  # noqa: PTH115
    (folder / "services" / "orders" / "domain.py").open("a").write("# edited\n")
    assert "files changed since" in labkit("up").stdout


def test_two_stacks_side_by_side(new_labkit: Callable[..., Labkit]) -> None:
    one, other = new_labkit("one"), new_labkit("other")
    starting = [one.begin("up"), other.begin("up")]
    for process in starting:
        said, _ = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, said
    ports = [{str(c["endpoint"]) for c in labkit.status()["components"] if c["endpoint"]} for labkit in (one, other)]
    assert not ports[0] & ports[1]
    bits = [(labkit.directory / "stack.json").read_text().partition('"address_bits": ')[2].split(",")[0] for labkit in (one, other)]
    assert bits[0] != bits[1]
    one("down")
    assert one.processes() == {}
    assert_ready(other)


def test_a_pid_of_before_a_reboot_counts_for_nothing(labkit: Labkit) -> None:
    """After a reboot the recorded pids belong to strangers: here, to this very test."""
    labkit("up")
    labkit("down")
    for component in ("mysql", "kafka", "supervisor", "orders"):
        (labkit.directory / "processes" / component).write_text(f"{os.getpid()} 00000000-0000-0000-0000-000000000000:1")
    assert {c["state"] for c in labkit.status()["components"]} == {"stopped"}
    labkit("up")
    assert_ready(labkit)


def test_a_damaged_class_data_archive_is_removed(
    new_labkit: Callable[..., Labkit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"  # its own: another stack's JVM maps the archive
    (cache / "archives").mkdir(parents=True)
    for entry in user_cache().iterdir():  # in which others may be making something
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
    assert done.stderr.startswith("✗ kafka did not get ready")
    assert "labkit removed the stale archive." in done.stderr
    assert done.stderr.splitlines()[-1] == "Next: labkit up"
    assert not damaged.exists()


def test_a_changed_schema_is_brought_to_the_database(labkit: Labkit, tmp_path: Path) -> None:
    with_services(tmp_path)
    labkit("up", "--services", str(tmp_path))
    with (tmp_path / "services" / "orders" / "schema.sql").open("a") as schema:
        schema.write("\nCREATE TABLE IF NOT EXISTS saga_instance (id BIGINT PRIMARY KEY);\n")
    labkit("up")
    assert RunningStack(labkit).sql("select * from order_db.saga_instance") == []
    with (tmp_path / "services" / "orders" / "schema.sql").open("a") as schema:
        schema.write("\nCREATE TABEL IF NOT EXISTS nonsense (id BIGINT PRIMARY KEY);\n")
    done = labkit("up", ok=False)
    assert done.returncode == 1
    assert "The tables of the services could not be made: " in done.stderr
    assert "CREATE TABEL IF NOT EXISTS nonsense" in done.stderr


def test_a_port_whose_holder_was_killed_stays_its_stacks(new_labkit: Callable[..., Labkit]) -> None:
    one, two = new_labkit("one"), new_labkit("two")
    one("up")
    gateway = RunningStack(one).url("gateway")
    RunningStack(one).kill("gateway")
    two("up")
    assert RunningStack(two).url("gateway") != gateway
    one("up")
    assert RunningStack(one).url("gateway") == gateway
    one("down")
    port = int(gateway.rpartition(":")[2])
    assert claims.of_others(two.directory).get(port) != one.directory  # free again for whoever comes first
