"""labkit images build: unchanged layers are reused, Ctrl-C leaves nothing behind, and every failure says how to proceed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.images.conftest import docker, run_labkit
from tests.running import ROOT, user_cache, wait_until

pytestmark = pytest.mark.docker


def left_behind() -> tuple[set[str], set[str]]:
    """Nameless images made by labkit, and its working folders in the cache."""
    nameless = docker("images", "--quiet", "--filter", "dangling=true", "--filter", "label=labkit.image").split()
    return set(nameless), {path.name for path in user_cache().glob("making-images-*")}


def test_what_has_not_changed_is_kept(images: dict[str, Any]) -> None:
    (user_cache() / "making-images-killed" / "rootfs").mkdir(parents=True)
    again = json.loads(run_labkit("images", "build", "--mysql", "mysql", "--json").stdout)["images"]
    assert [image["rebuilt"] for image in again] == [False] * 4
    assert {image["kind"] for image in again} == {"mysql", "kafka", "redis", "services"}
    assert left_behind() == (set(), set()), "what a build left that was killed"


@pytest.mark.soak
def test_it_says_which_database_it_is(images: dict[str, Any], mariadb: dict[str, Any]) -> None:
    assert (images["mysql"]["server"], mariadb["server"]) == ("MySQL", "MariaDB")
    shown = run_labkit("images", "build", "--mysql", "mariadb").stdout
    assert f"MariaDB {mariadb['version']}" in shown


def test_interrupted_it_leaves_nothing_and_the_old_images_stay(images: dict[str, Any]) -> None:
    """Interrupted by its terminal during work; its children are interrupted too. With MariaDB there is one package list to fetch."""
    names = [image["reference"] for image in images.values()]
    before = docker("inspect", "--format", "{{.Id}}", *names)
    building = begun("--fresh", "--mysql", "mariadb")
    assert building.stdout is not None
    for line in building.stdout:
        if any(step in line for step in FINISHED):
            break
    os.killpg(building.pid, signal.SIGINT)
    rest, _ = building.communicate(timeout=60)
    assert building.returncode == 130, rest
    assert "Traceback" not in rest
    assert left_behind() == (set(), set())
    assert docker("inspect", "--format", "{{.Id}}", *names) == before


FINISHED = ("Debian's package list", "Python's packages")  # the first of these to appear


def test_it_ends_with_its_children(images: dict[str, Any]) -> None:
    """All processes that it started (apt, pip, docker build) end with it, although only labkit is interrupted."""
    building = begun("--fresh", "--json", LABKIT_TEST_MARK="a-build-that-is-interrupted")
    wait_until(lambda: len(marked()) > 1, "it has children")
    building.send_signal(signal.SIGINT)
    building.communicate(timeout=60)
    assert building.returncode == 130
    wait_until(lambda: not marked(), "its children have ended")


def begun(*options: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "labkit", "images", "build", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def marked() -> set[str]:
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"LABKIT_TEST_MARK=a-build-that-is-interrupted" in (entry / "environ").read_bytes():
                found.add(entry.name)
        except OSError:
            continue
    return found


def test_without_a_network_it_says_what_else_helps() -> None:
    nowhere = {"LABKIT_DEBIAN_MIRROR": "http://127.0.0.1:9/debian", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    done = run_labkit("images", "build", "--fresh", ok=False, **nowhere)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "could not be fetched" in done.stderr
    assert "labkit images import FILE" in done.stderr
    assert left_behind() == (set(), set())


def test_without_apt_it_says_what_else_helps(tmp_path: Path) -> None:
    done = run_labkit("images", "build", "--fresh", ok=False, PATH=str(tmp_path))
    assert done.returncode == 1
    assert "this machine has no apt-get and no dpkg-deb" in done.stderr
    assert "Next: labkit images import FILE" in done.stderr


def test_another_database_is_wrong_usage() -> None:
    done = run_labkit("images", "build", "--mysql", "postgres", ok=False)
    assert done.returncode == 254
    assert "only mysql and mariadb" in done.stderr
