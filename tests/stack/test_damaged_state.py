"""Every file that labkit stores for a stack may be missing, empty, torn or replaced: labkit shows a sentence, never a traceback and never
the exit code of a verdict; and `down` still works."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from labkit import paths
from labkit.cli import run
from tests.running import COMPONENTS, Labkit, RunningStack, wait_until

FILES = (
    "stack.json",
    "plan.json",
    "mark.json",
    "faults.jsonl",
    "events.jsonl",
    "reset.json",
    "control/armed/armed.json",
    "control/hits/customers/ack.json",
    "control/hits/customers/hits.jsonl",
    "data/mysql.provisioned",
    "accounts.json",
    *(f"processes/{name}" for name in (*COMPONENTS, "supervisor")),
)


def missing(file: Path, _: bytes) -> None:
    file.unlink(missing_ok=True)


def empty(file: Path, _: bytes) -> None:
    file.write_bytes(b"")


def torn(file: Path, whole: bytes) -> None:
    file.write_bytes(whole[: len(whole) // 2])


def binary(file: Path, _: bytes) -> None:
    file.write_bytes(bytes(range(256)) * 4)


def other_json(file: Path, _: bytes) -> None:
    file.write_text('[{"id": [], "event": {}}, 1e999, null]')


def other_object(file: Path, _: bytes) -> None:
    file.write_text('{"components": {"a": 1}, "kafka": [], "generation": "x", "faults": 3, "empties": [], "name": null}')


def unreadable(file: Path, _: bytes) -> None:
    """Root can read everything else."""
    file.unlink(missing_ok=True)
    file.mkdir()


Damage = Callable[[Path, bytes], None]
DAMAGES: tuple[Damage, ...] = (missing, empty, torn, binary, other_json, other_object, unreadable)


@pytest.fixture
def whole(stack: RunningStack) -> Iterator[Labkit]:
    """The shared stack, whose files are restored afterwards."""
    labkit = stack.labkit
    kept = {file: (labkit.directory / file).read_bytes() for file in FILES if (labkit.directory / file).is_file()}
    yield labkit
    for file in FILES:
        put_back(labkit.directory / file, kept.get(file))


def put_back(file: Path, content: bytes | None) -> None:
    if file.is_dir():
        shutil.rmtree(file)
    if content is None:
        file.unlink(missing_ok=True)
    elif not file.exists() or file.read_bytes() != content:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o600)  # as labkit makes it: another test checks who may read it


def refused_well(labkit: Labkit, *command: str) -> int:
    """Returns the exit code of the command. A failed command must say in a sentence what is wrong and what to do."""
    done = labkit(*command, ok=False)
    said = f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr, said
    assert "labkit failed" not in done.stderr, said
    assert done.returncode in (0, 2, 255), said
    if done.returncode:
        assert "Next: " in done.stdout + done.stderr or "next" in done.stdout, said
    return done.returncode


def damaged(labkit: Labkit, file: str, damage: Damage) -> None:
    path = labkit.directory / file
    path.parent.mkdir(parents=True, exist_ok=True)
    damage(path, path.read_bytes() if path.is_file() else b'{"empties": "stores"}')


def test_each_damage_is_told_in_a_sentence(whole: Labkit, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Runs in this process, which is faster than one process for each case."""
    monkeypatch.setenv("LABKIT_HOME", str(whole.home))
    monkeypatch.setenv("LABKIT_NAME", whole.name)
    for file in (
        "stack.json",
        "faults.jsonl",
        "events.jsonl",
        "reset.json",
        "control/armed/armed.json",
        "processes/customers",
        "accounts.json",
    ):
        path = whole.directory / file
        content = path.read_bytes() if path.is_file() else None
        for damage in DAMAGES:
            damaged(whole, file, damage)
            code = run(["status", "--json"])
            shown = capfd.readouterr()
            put_back(path, content)
            said = f"{file} {damage.__name__}: {code}\n{shown.out}{shown.err}"
            expected = {0, 1} if file != "stack.json" else {1} if damage is missing else {255}  # 1: a store answers late
            refused = damage is unreadable or file == "accounts.json"
            assert code in expected | ({255} if refused else set()), said
            assert "Traceback" not in shown.err, said
            assert "labkit failed" not in shown.err, said
            assert json.loads(shown.out), said


@pytest.mark.native
def test_what_a_killed_write_left_aside_goes_with_the_next_one(tmp_path: Path) -> None:
    """Such a file may hold a password, and nobody would look for it."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, being_written = tmp_path / f".accounts.json.{ended.pid}", tmp_path / ".accounts.json.1"
    other = tmp_path / f".plan.json.{ended.pid}"
    for file in (left, being_written, other):
        file.write_text("secret")
    paths.write_private(tmp_path / "accounts.json", "{}")
    assert sorted(tmp_path.iterdir()) == sorted([being_written, other, tmp_path / "accounts.json"])


def test_what_ends_after_the_list_of_events_was_removed_is_seen(stack: RunningStack) -> None:
    began = time.time()
    (stack.labkit.directory / "events.jsonl").unlink()
    stack.kill("gateway")
    wait_until(lambda: stack.runtime.last_end("gateway", began), "its end is written down")
    stack.labkit("up")


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_each_damage_and_each_command(whole: Labkit, file: str, damage: Damage) -> None:
    content = (whole.directory / file).read_bytes() if (whole.directory / file).is_file() else None
    for command in (("status",), ("verify",), ("fault", "status"), ("up",)):
        damaged(whole, file, damage)
        refused_well(whole, *command) if file != "stack.json" or damage is not missing else whole(*command, ok=False)
        if file in ("stack.json", "data/mysql.provisioned"):
            put_back(whole.directory / file, content)
    damaged(whole, file, damage)
    whole("down")
    assert not whole.processes()
    whole("up")
    assert whole.status()["ready"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate disk for LABKIT_HOME, which only root can make; otherwise a folder."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(disk)], capture_output=True, check=False).returncode == 0
    )
    yield disk
    if mounted:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Fill the disk, if it is one, so that nothing more can be written."""
    filler = disk / f"filler.{time.monotonic_ns()}"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while disk.is_mount():
            file.write(bytes(4096))
    return filler


def test_down_ends_whatever_is_damaged_on_a_full_disk_and_up_makes_it_anew(small_disk: Path) -> None:
    labkit = Labkit(small_disk, "small")
    try:
        labkit("up")
        for number, file in enumerate(FILES):
            damaged(labkit, file, DAMAGES[1 + number % (len(DAMAGES) - 1)])
        filler = fill(small_disk)
        done = labkit("down")
        assert not labkit.processes()
        assert "was moved to" in done.stderr
        filler.unlink()
        for file in FILES:
            if (labkit.directory / file).is_dir():
                shutil.rmtree(labkit.directory / file)
        labkit("up")
        for command in (("verify", "--json"), ("reset", "-y")) if small_disk.is_mount() else ():
            fill(small_disk)
            done = labkit(*command, ok=False)
            assert done.returncode == (2 if command[0] == "verify" else 255)
            assert done.stderr.startswith("The disk is full")
            assert "Next: free some space" in done.stderr
        assert len(labkit.status()["components"]) == len(COMPONENTS) + 1
        for file in FILES:
            damaged(labkit, file, unreadable)
        labkit("down", "--data")
        assert not labkit.processes()
        assert [entry.name for entry in labkit.directory.iterdir()] == ["lock"]
    finally:
        labkit("down", "--data")


@pytest.mark.parametrize("damage", [empty, torn, unreadable])
def test_up_finds_a_process_whose_record_is_lost(whole: Labkit, damage: Damage) -> None:
    before = {c["name"]: c["pid"] for c in whole.status()["components"]}
    damaged(whole, "processes/customers", damage)
    assert {c["name"]: c["pid"] for c in whole.status()["components"]} == before
    whole("up")
    assert {c["name"]: c["pid"] for c in whole.when_ready()["components"]} == before
    if damage is empty:
        damaged(whole, "processes/customers", damage)
        whole("restart", "customers")
        assert {c["name"]: c["pid"] for c in whole.when_ready()["components"]}["customers"] != before["customers"]
