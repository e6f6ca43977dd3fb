"""labkit doctor --rehearse: a separate stack starts, is checked, and is removed, however the rehearsal ends."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import __version__
from tests.doctor.examining import BusyPort
from tests.running import Labkit, RunningStack, wait_until

NewLabkit = Callable[..., Labkit]
native = pytest.mark.native


@pytest.fixture
def rehearsal(labkit_home: Path) -> Labkit:
    """Used to look for remains of the rehearsal's stack."""
    return Labkit(labkit_home, "rehearsal")


def nothing_is_left(rehearsal: Labkit) -> bool:
    """Whether there are no processes, no files and nothing on the engine."""
    return rehearsal.processes() == {} and {entry.name for entry in rehearsal.directory.iterdir()} <= {"lock"}


@native
def test_the_evening_before(labkit: Labkit, rehearsal: Labkit, stack: RunningStack) -> None:
    pids = stack.pids()
    done = labkit("doctor", "--rehearse")
    line = done.stdout.splitlines()[-1]
    assert line.startswith(f"labkit {__version__}: ready; native, ")
    assert "lab 1 9/9 in" in line
    assert line in done.stdout.partition("Send this line to your instructor:")[2]
    assert nothing_is_left(rehearsal)
    assert stack.pids() == pids


@native
@pytest.mark.parametrize(
    ("number", "moment"), [(signal.SIGINT, "Preparing|Starting a stack"), pytest.param(signal.SIGTERM, "Lab 1", marks=pytest.mark.soak)]
)
def test_interrupted_it_leaves_nothing(labkit: Labkit, rehearsal: Labkit, number: signal.Signals, moment: str) -> None:
    process = labkit.begin("doctor", "--rehearse")
    assert process.stdout is not None
    for line in process.stdout:
        if any(word in line for word in moment.split("|")):
            break
    wait_until(rehearsal.processes, "something runs")
    process.send_signal(number)
    rest, _ = process.communicate()
    assert process.returncode == 130
    assert "cannot tell (it was stopped)" in rest
    assert "Traceback" not in rest
    assert nothing_is_left(rehearsal)


@native
def test_what_does_not_come_up_is_told_and_taken_down(new_labkit: NewLabkit, rehearsal: Labkit, tmp_path: Path) -> None:
    real = next(found for name in ("mariadbd", "mysqld") if (found := shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")))
    broken = tmp_path / "mariadbd"
    broken.write_text(f'#!/bin/sh\ncase "$*" in *--port=*) echo "the disk is on fire"; exit 7;; esac\nexec {real} "$@"\n')
    broken.chmod(0o755)
    done = new_labkit("own", LABKIT_MYSQLD=str(broken))("doctor", "--rehearse", ok=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the disk is on fire" in done.stdout
    assert "not ready (mysql ended at once" in done.stdout
    assert "labkit support" in done.stdout.splitlines()[-1]
    assert nothing_is_left(rehearsal)


@native
def test_what_the_doctor_finds_in_the_way_ends_it_before_anything_starts(new_labkit: NewLabkit, rehearsal: Labkit, tmp_path: Path) -> None:
    done = new_labkit("own", LABKIT_CACHE=str(tmp_path))("doctor", "--rehearse", ok=False)
    assert done.returncode == 1
    assert "→ labkit setup" in done.stdout
    assert f"labkit {__version__}: not ready (To run as processes: This machine lacks Kafka" in done.stdout
    assert "Starting a stack" not in done.stdout
    as_json = json.loads(new_labkit("own", LABKIT_CACHE=str(tmp_path))("doctor", "--rehearse", "--json", ok=False).stdout)
    assert as_json["line"].startswith(f"labkit {__version__}: not ready (To run as processes")
    assert as_json["rehearsal"]["up_s"] is None
    assert as_json["doctor"]["exit_code"] == 1
    assert rehearsal.processes() == {}


def on_the_engine(rehearsal: Labkit) -> list[str]:
    """What the engine has of the rehearsal, found by the common label."""
    label = f"label=labkit.directory={rehearsal.directory}"
    found = []
    for listing in (["ps", "-a"], ["network", "ls"], ["volume", "ls"]):
        done = subprocess.run(["docker", *listing, "--quiet", "--filter", label], capture_output=True, text=True, check=True)
        found += done.stdout.split()
    return found


@pytest.mark.soak
@pytest.mark.docker
def test_the_evening_before_on_docker_beside_a_busy_port(docked: Labkit, rehearsal: Labkit, busy_port: BusyPort) -> None:
    done = docked("doctor", "--rehearse")
    assert f"port {busy_port.number} is held by " in done.stdout
    if busy_port.is_still_held():  # otherwise it was another stack's component, which has ended meanwhile
        assert f"port {busy_port.number} is held by {busy_port.name} (pid {busy_port.pid}" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"labkit {__version__}: ready; docker, ")
    assert on_the_engine(rehearsal) == []
    assert nothing_is_left(rehearsal)


@pytest.mark.docker
def test_interrupted_on_docker_it_leaves_nothing(docked: Labkit, rehearsal: Labkit) -> None:
    process = docked.begin("doctor", "--rehearse")
    wait_until(lambda: len(on_the_engine(rehearsal)) > 5, "containers are made", within=60.0)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert "Traceback" not in said
    assert process.returncode == 130
    assert on_the_engine(rehearsal) == []
    assert nothing_is_left(rehearsal)
