"""A running stack: inspected, disturbed and repaired."""

import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from labkit.stack import compose
from labkit.stack.native.runtime import Native
from tests.conftest import RunningStack
from tests.running import PROFILE, is_alive, wait_until

COMPONENTS = ["mysql", "kafka", "redis", "customers", "orders", "order-history", "relay", "gateway", "supervisor"]


@pytest.mark.native
def test_status_as_json_has_the_agreed_shape(stack: RunningStack) -> None:
    status = stack.labkit.when_ready()
    assert list(status) == ["name", "runtime", "ready", "components", "connections", "accounts", "open", "faults"]
    assert (status["name"], status["runtime"], status["ready"]) == ("shared", "native", True)
    assert [c["name"] for c in status["components"]] == COMPONENTS
    assert [c["kind"] for c in status["components"]] == ["mysql", "kafka", "redis", *["service"] * 5, "supervisor"]
    for component in status["components"]:
        assert list(component) == ["name", "kind", "state", "endpoint", "pid", "memory_bytes", "uptime_s"]
        assert component["state"] == "running"
        assert is_alive(component["pid"])
        assert component["memory_bytes"] > 1_000_000
        assert component["uptime_s"] >= 0
    assert list(status["connections"]) == ["mysql", "kafka", "redis"]
    assert list(status["connections"]["mysql"]) == ["host", "port", "user", "password"]
    assert list(status["accounts"]["mysql"]) == ["admin", "observer", "customer_service", "order_service", "relay"]
    assert status["accounts"]["redis"] == {"default": status["connections"]["redis"]["password"]}
    assert status["accounts"]["kafka"] == {"labkit": status["connections"]["kafka"]["password"]}
    assert status["open"] is False
    stack.sql("create table customer_db.admin_may_write (id int)")
    stack.sql("drop table customer_db.admin_may_write")


@pytest.mark.native
def test_the_supervisor_is_small(stack: RunningStack) -> None:
    status = Path(f"/proc/{stack.pid('supervisor')}/status").read_text()
    assert int(status.partition("VmRSS:")[2].split()[0]) <= 12 * 1024


@pytest.mark.both_runtimes
def test_up_again_says_that_all_is_well_and_starts_nothing(stack: RunningStack) -> None:
    before = stack.pids()
    count = {"native": "9 processes", "docker": "8 containers"}[stack.labkit.status()["runtime"]]
    assert f"All is well: {count}" in stack.labkit("up").stdout
    assert stack.pids() == before


@pytest.mark.native
def test_a_start_has_not_failed_because_the_process_before_it_ends(stack: RunningStack) -> None:
    """The last threads of the old process may still be ending when the service is started again."""
    runtime = Native(stack.labkit.directory, PROFILE)
    pid = stack.pid("orders")
    since = runtime.start(["orders"])  # it runs, so nothing is started
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: runtime.last_end("orders", since), "the supervisor sees orders end")
    assert runtime.start_failed("orders", since) is None
    since = runtime.start(["orders"])
    os.kill(stack.pid("orders"), signal.SIGKILL)
    wait_until(lambda: runtime.start_failed("orders", since), "the start has failed")
    stack.labkit("up")


@pytest.mark.native
def test_the_stack_outlives_its_supervisor_and_up_brings_a_new_one(stack: RunningStack) -> None:
    before = stack.pids()
    stack.signal(stack.pid("supervisor"), signal.SIGKILL)
    stack.wait_ended(before["supervisor"] or 0)
    stack.labkit.when_ready()
    stack.labkit("up")
    after = stack.pids()
    assert {name for name in after if after[name] != before[name]} == {"supervisor"}
    # the new supervisor also notices the end of a process that it did not start
    stack.signal(stack.pid("gateway"), signal.SIGKILL)
    wait_until(lambda: stack.labkit.events()[-1]["event"] == "end", "the supervisor writes down the end")
    assert stack.labkit.events()[-1]["exit_code"] is None
    # processes that end while there is no supervisor are repaired too
    before = stack.pids()
    for name in ("supervisor", "orders"):
        stack.signal(before[name] or 0, signal.SIGKILL)
        stack.wait_ended(before[name] or 0)
    stack.labkit("up")
    after = stack.pids()
    assert {name for name in after if after[name] != before[name]} == {"supervisor", "orders", "gateway"}
    stack.labkit("down")  # makes every process a child of one supervisor again, which sees how it ends
    stack.labkit("up")


@pytest.mark.both_runtimes
def test_restart_begins_one_anew_on_the_same_endpoint(stack: RunningStack) -> None:
    wait_until(lambda: all((seen.uptime_s or 0.0) > 0.5 for seen in stack.runtime.status().values()), "all have run for a while")
    endpoints = {c["name"]: c["endpoint"] for c in stack.labkit.status()["components"]}
    begun = time.monotonic()
    stack.restart("order-history")
    assert stack.begun_since(begun) == {"order-history"}
    assert {c["name"]: c["endpoint"] for c in stack.labkit.when_ready()["components"]} == endpoints


@pytest.mark.docker
def test_a_service_that_was_killed_while_it_waited_to_begin_again_is_brought_up(stack: RunningStack) -> None:
    stack.runtime.stop_to_restart(["orders", "relay"])
    stack.runtime.kill(["orders"])
    states = {c["name"]: c["state"] for c in stack.labkit.status()["components"]}
    assert {states["orders"], states["relay"]} == {"failed", "stopped"}, states
    stack.labkit("up")
    stack.labkit.when_ready()


@pytest.mark.docker
def test_a_service_that_waits_begins_again_while_another_ones_container_is_made_anew(stack: RunningStack) -> None:
    stack.runtime.stop_to_restart(["orders"])
    labels = (f"com.docker.compose.project={compose.project_of(stack.labkit.directory)}", "com.docker.compose.service=gateway")
    find = ["docker", "ps", "--quiet", *(f"--filter=label={label}" for label in labels)]
    container = subprocess.run(find, capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=True)
    stack.labkit("up")
    stack.labkit.when_ready()


@pytest.mark.both_runtimes
def test_logs_of_one_component_and_of_all(stack: RunningStack) -> None:
    assert "ready for connections" in stack.labkit("logs", "mysql").stdout
    everything = stack.labkit("logs").stdout.splitlines()
    assert {line.split(" ", 1)[0] for line in everything} >= {"mysql", "kafka", "redis"}
    assert len(stack.labkit("logs", "mysql", "-n", "2").stdout.splitlines()) == 2
    for_programs = [json.loads(line) for line in stack.labkit("logs", "--json").stdout.splitlines()]
    assert {line["component"] for line in for_programs} >= {"mysql", "orders", "relay"}


@pytest.mark.native
def test_logs_can_be_followed(stack: RunningStack) -> None:
    with stack.labkit.begin("logs", "redis", "-f", "-n", "1") as following:
        assert following.stdout is not None
        following.stdout.readline()
        with (stack.labkit.directory / "logs" / "redis.log").open("a") as log:
            log.write("a new line\n")
        assert "a new line\n" in iter(following.stdout.readline, "")  # redis may write a line too
        following.send_signal(signal.SIGINT)
        assert following.wait(60) == 130


@pytest.mark.native
def test_a_second_command_says_who_is_at_work(stack: RunningStack) -> None:
    with (stack.labkit.directory / "lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("labkit reset (pid 4711, since 12:00:00)")
        lock.flush()
        done = stack.labkit("up", ok=False)
        lock.truncate(0)
    assert done.returncode == 1
    assert "labkit reset (pid 4711, since 12:00:00) is at work on the stack 'shared'." in done.stderr


def test_no_process_of_the_stack_holds_the_lock(stack: RunningStack) -> None:
    lock = stack.labkit.directory / "lock"
    subprocess.run(["flock", "--nonblock", lock, "true"], check=True)
