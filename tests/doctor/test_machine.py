"""labkit doctor on this machine, unchanged and with one fault at a time. Natively; for the engine see test_engine.py."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doctor.examining import BusyPort, as_nobody, examined
from tests.running import ROOT, Labkit, RunningStack, is_alive, user_cache

NewLabkit = Callable[..., Labkit]
pytestmark = pytest.mark.native
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a file system or become another user")


def test_a_machine_that_can_run_a_stack_is_ready(labkit: Labkit) -> None:
    report = examined(labkit)
    assert report.exit_code == 0, report.in_the_way
    assert report.whole["verdict"] == "ready"
    assert report.whole["runtime"] == "native"
    memory = report["memory"]["facts"]
    assert memory["needed_sum_mb"] == sum(memory["needed_mb"].values()) < memory["available_mb"]
    assert {"mysql", "kafka", "redis", "orders"} <= memory["needed_mb"].keys()
    assert set(report["native.servers"]["facts"]) == {"mysql", "kafka", "java", "redis"}


def test_the_text_says_what_the_json_says(labkit: Labkit) -> None:
    report, shown = examined(labkit), labkit("doctor", ok=False)
    marks = {"ok": "✓", "note": "·", "bad": "✗", "unknown": "?"}
    figures = re.compile(r"\d[\d.:+ -]*")  # free memory and time differ between the two runs
    lines = {figures.sub("#", line.strip()) for line in shown.stdout.splitlines()}
    for finding in report.whole["findings"]:
        if not finding["id"].startswith(("strays", "ports", "leftovers")):  # stacks of other users come and go
            assert figures.sub("#", f"{marks[finding['verdict']]} {finding['sentence']}") in lines
    assert shown.stdout.splitlines()[-1] == "Next: labkit up --name own"


def test_nothing_is_changed(labkit: Labkit, stack: RunningStack) -> None:
    def files() -> dict[str, float]:
        """The files, except those that the running stack writes."""
        kept = [path for path in stack.labkit.home.rglob("*") if not {"data", "logs"} & set(path.relative_to(stack.labkit.home).parts)]
        return {str(path): path.stat().st_mtime for path in kept}

    before = files()
    examined(labkit)
    examined(stack.labkit)
    assert files() == before


def test_missing_servers_are_named(new_labkit: NewLabkit, tmp_path: Path) -> None:
    report = examined(new_labkit("own", LABKIT_CACHE=str(tmp_path)))
    assert report.exit_code == 1
    assert "Kafka" in report["native.servers"]["sentence"]
    assert "MariaDB" not in report["native.servers"]["sentence"]
    assert report["native.servers"]["fix"] == "labkit setup"


def test_an_unknown_runtime_is_wrong_usage(labkit: Labkit) -> None:
    done = labkit("doctor", "--runtime", "podman", ok=False)
    assert done.returncode == 254
    assert done.stderr.splitlines()[-1] == "Next: labkit up --runtime native"


def test_a_runtime_that_does_not_have_the_data_is_in_the_way(stack: RunningStack) -> None:
    found = examined(stack.labkit, "--runtime", "docker")["runtime"]
    assert found["verdict"] == "bad"
    assert "has its data in the native runtime" in found["sentence"]


# ports


def test_a_busy_port_is_told_with_its_holder_and_is_not_in_the_way(labkit: Labkit, busy_port: BusyPort) -> None:
    report = examined(labkit)
    while not busy_port.is_still_held():  # another stack's component that ended meanwhile and is being restarted
        busy_port = BusyPort.now(busy_port.number)
        report = examined(labkit)
    [found] = [f for f in report.about("ports.") if f["facts"].get("port") == busy_port.number]
    assert found["verdict"] == "note"
    assert (found["facts"]["pid"], found["facts"]["command"]) == (busy_port.pid, busy_port.command)
    assert f"is held by {busy_port.name} (pid {busy_port.pid}" in found["sentence"]
    assert found["facts"]["instead"] > busy_port.number
    assert f"labkit up takes {found['facts']['instead']}." in found["sentence"]


def test_a_running_stack_holds_its_ports_itself(stack: RunningStack) -> None:
    report = examined(stack.labkit)
    endpoints = {c["name"]: c["endpoint"] for c in stack.labkit.status()["components"] if c["endpoint"]}
    ours = report["ports.ours"]["facts"]["ports"]
    assert {name: int(endpoint.rpartition(":")[2]) for name, endpoint in endpoints.items()} == ours
    assert report.exit_code == 0
    assert "ports.free" not in report


# environment and limits


def test_a_proxy_without_exception_is_in_the_way_and_the_fix_mends_it(labkit: Labkit) -> None:
    proxied = Labkit(labkit.home, labkit.name, {"HTTP_PROXY": "http://ada:s3cret-word@proxy.example:3128", "NO_PROXY": "example.org"})
    found = examined(proxied)["proxy"]
    assert found["verdict"] == "bad"
    assert "127.0.0.1 and localhost" in found["sentence"]
    assert "s3cret-word" not in json.dumps(found)
    mended = subprocess.run(
        ["bash", "-c", f"{found['fix']}; exec {shlex.quote(sys.executable)} -m labkit doctor --json"],
        env={**os.environ, **proxied.environment, "LABKIT_HOME": str(labkit.home), "LABKIT_RUNTIME": "native", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    [proxy] = [f for f in json.loads(mended.stdout)["findings"] if f["id"] == "proxy"]
    assert proxy["verdict"] == "ok"


def _doctor_in_shell(labkit: Labkit, before: str) -> dict[str, dict[str, object]]:
    done = subprocess.run(
        ["bash", "-c", f"{before}; exec {shlex.quote(sys.executable)} -m labkit doctor --json"],
        env={**os.environ, "LABKIT_HOME": str(labkit.home), "LABKIT_RUNTIME": "native", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return {f["id"]: f for f in json.loads(done.stdout)["findings"]}


def test_too_few_open_files_are_in_the_way_and_the_fix_mends_it(labkit: Labkit) -> None:
    found = _doctor_in_shell(labkit, "ulimit -S -n 500")["limits.files"]
    assert found["verdict"] == "bad"
    assert "may open 500 files" in str(found["sentence"])
    assert _doctor_in_shell(labkit, f"ulimit -S -n 500; {found['fix']}")["limits.files"]["verdict"] == "ok"


# folders


def test_a_home_in_memory_is_told(new_labkit: NewLabkit) -> None:
    if not Path("/dev/shm").is_dir():
        pytest.skip("this system has no /dev/shm")
    report = examined(new_labkit("own", LABKIT_HOME="/dev/shm/labkit of a test"))
    assert report["folders.data"]["verdict"] == "note"
    assert report["folders.data"]["facts"]["file_system"] == "tmpfs"
    assert report.exit_code == 0
    assert not Path("/dev/shm/labkit of a test").exists()


@as_root
def test_a_full_disk_is_in_the_way(new_labkit: NewLabkit, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "none", small], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        report = examined(new_labkit("own", LABKIT_HOME=str(small / "home")))
    finally:
        subprocess.run(["umount", small], check=True)
    assert report.in_the_way == {"disk"}
    assert "21 MB of disk are free" in report["disk"]["sentence"]
    assert "mysql 300" in report["disk"]["sentence"]
    assert "LABKIT_HOME" in report["disk"]["fix"]


WSL = """\
28 1 8:32 / / rw,relatime - ext4 /dev/sdc rw
66 28 0:54 / /mnt/c rw,noatime - 9p C:\\134 rw,dirsync,aname=drvfs
71 28 0:60 / /mnt/c/my\\040share rw - nfs4 server:/x rw
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [("/home/ada", "ext4"), ("/mnt/c/labkit", "9p"), ("/mnt/cache", "ext4"), ("/mnt/c/my share/labs", "nfs4"), ("/", "ext4")],
)
def test_a_mount_is_recognised_by_its_longest_point(place: str, kind: str) -> None:
    from labkit.doctor.folders import kind_in

    assert kind_in(WSL, place) == kind


@as_root
def test_a_home_that_may_not_be_written_is_in_the_way_and_stops_up_with_a_sentence(labkit: Labkit, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    found = as_nobody("doctor", "--json", LABKIT_HOME=str(private / "home"), LABKIT_CACHE=str(user_cache()))
    assert "folders.home" in {f["id"] for f in json.loads(found.stdout)["findings"] if f["verdict"] == "bad"}
    up = as_nobody("up", LABKIT_HOME=str(private / "home"))
    assert up.returncode == 1
    assert up.stderr.splitlines()[-1] == "Next: export LABKIT_HOME=DIR, a folder of yours"
    assert "Traceback" not in up.stderr


# remains of earlier work


def test_another_running_stack_is_told_with_the_command_that_shows_it(labkit: Labkit, stack: RunningStack) -> None:
    found = examined(labkit)["stack.shared"]
    assert found["verdict"] == "note"
    assert "8 processes" in found["sentence"]
    assert found["fix"] == "labkit status --name shared"


def test_an_interrupted_reset_is_told(labkit: Labkit) -> None:
    labkit.directory.mkdir(parents=True, exist_ok=True)
    (labkit.directory / "reset.json").write_text('{"empties": "stores"}')
    found = examined(labkit)["stack.own.reset"]
    assert found["verdict"] == "note"
    assert found["fix"] == "labkit up --name own"


def test_a_damaged_description_is_in_the_way_and_the_fix_mends_it(labkit: Labkit) -> None:
    labkit.directory.mkdir(parents=True, exist_ok=True)
    (labkit.directory / "stack.json").write_text('{"name": "own"')
    found = examined(labkit)["stack.own"]
    assert found["verdict"] == "bad"
    down, _, up = found["fix"].partition(", then labkit ")
    assert up == "up --name own"
    labkit(*down.split()[1:])
    assert examined(labkit).exit_code == 0


def test_a_stack_from_the_future_is_in_the_way(labkit: Labkit) -> None:
    labkit.directory.mkdir(parents=True, exist_ok=True)
    description = labkit.directory / "stack.json"
    description.write_text("{}")
    os.utime(description, (time.time() + 7230, time.time() + 7230))
    try:
        found = examined(labkit)["clock.past"]
    finally:
        description.unlink()
    assert found["verdict"] == "bad"
    assert "2.0 h in the future" in found["sentence"]


def test_processes_of_a_stack_whose_folder_is_gone_are_told_and_the_fix_ends_them(labkit: Labkit, tmp_path: Path) -> None:
    gone = tmp_path / "stacks/gone"
    stray = subprocess.Popen(["sleep", "600"], env={**os.environ, "LABKIT_STACK_DIR": str(gone)})
    try:
        [found] = [f for f in examined(labkit).about("strays") if f["facts"]["directory"] == str(gone)]
        assert found["fix"] == f"kill {stray.pid}"
        subprocess.run(found["fix"], shell=True, check=True)
        assert stray.wait(30) == -signal.SIGTERM
    finally:
        if is_alive(stray.pid):
            stray.kill()


def test_a_command_at_work_is_told(labkit: Labkit) -> None:
    labkit.directory.mkdir(parents=True, exist_ok=True)
    (labkit.directory / "lock").write_text(f"labkit up (pid {os.getpid()}, since 12:00:00)")
    assert "labkit up (pid" in examined(labkit)["stack.own.lock"]["sentence"]
    (labkit.directory / "lock").write_text("labkit up (pid 4194300, since 12:00:00)")
    assert "stack.own.lock" not in examined(labkit)


def test_what_cannot_be_looked_at_is_unknown_and_ends_with_2(labkit: Labkit) -> None:
    (labkit.directory / "faults.jsonl").mkdir(parents=True)
    report = examined(labkit)
    (labkit.directory / "faults.jsonl").rmdir()
    assert report.exit_code == 2
    assert report.whole["verdict"] == "cannot tell"
    assert "faults.jsonl is damaged: Is a directory" in report["left over.seen"]["sentence"]
    assert report["memory"]["verdict"] == "ok"  # the other findings were examined
