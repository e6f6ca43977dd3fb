"""labkit support FILE: it contains everything that helps, and nothing private."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.redaction.redact import cleaner
from tests.running import Labkit, RunningStack

NewLabkit = Callable[..., Labkit]


def read(file: Path) -> dict[str, str]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name).decode(errors="replace") for name in archive.namelist()}


@pytest.mark.both_runtimes
def test_everything_that_helps_is_inside(stack: RunningStack, tmp_path: Path) -> None:
    file = tmp_path / "help.zip"
    shown = stack.labkit("support", str(file)).stdout
    inside = read(file)
    assert json.loads(inside["doctor.json"])["verdict"] == "ready"
    assert json.loads(inside["status.json"])["ready"]
    assert "Kafka" in json.loads(inside["versions.json"])["servers"]["kafka"]
    assert {f"logs/{name}.log" for name in ("mysql", "kafka", "orders", "gateway")} <= inside.keys()
    assert all(name in shown for name in inside)
    assert f"{file.stat().st_size} bytes" in shown or f"{file.stat().st_size / 1e3:.0f} kB" in shown


@pytest.mark.native
def test_the_plan_is_inside_without_what_came_from_the_environment(stack: RunningStack, tmp_path: Path) -> None:
    stack.labkit("support", str(tmp_path / "help.zip"))
    inside = read(tmp_path / "help.zip")
    environment = json.loads(inside["plan.json"])["orders"]["env"]
    assert (environment["MYSQL_PASSWORD"], environment["PATH"], environment["MYSQL_DATABASE"]) == ("(removed)", "(removed)", "order_db")
    assert any(json.loads(line)["event"] == "start" for line in inside["events.jsonl"].splitlines())


def test_the_last_run_is_inside_as_it_is(stack: RunningStack, tmp_path: Path) -> None:
    evidence = b"DUCK\0\xff evidence"
    for number, data in (("1", b"old"), ("2", evidence)):
        run = stack.labkit.directory / "runs" / number
        run.mkdir(parents=True)
        (run / "evidence.duckdb").write_bytes(data)
    os.utime(stack.labkit.directory / "runs" / "1", (0, 0))  # both were written within one tick of the clock
    try:
        stack.labkit("support", str(tmp_path / "help.zip"))
    finally:
        for number in ("1", "2"):
            (stack.labkit.directory / "runs" / number / "evidence.duckdb").unlink()
            (stack.labkit.directory / "runs" / number).rmdir()
    with zipfile.ZipFile(tmp_path / "help.zip") as archive:
        assert [name for name in archive.namelist() if name.startswith("runs/")] == ["runs/2/evidence.duckdb"]
        assert archive.read("runs/2/evidence.duckdb") == evidence


def test_secrets_are_nowhere_in_it(new_labkit: NewLabkit, tmp_path: Path) -> None:
    """The secrets are in realistic places: the environment, a proxy's address, a component's log, a report."""
    labkit = new_labkit(
        "own",
        HTTP_PROXY="http://ada:proxy-pa55@proxy.example:3128",
        NO_PROXY="127.0.0.1,localhost",
        LABKIT_REGISTRY="https://ada:registry-pa55@mirror.example/",
        MY_API_TOKEN="tok-from-the-environment",
        USER="ada-lovelace",
        LOGNAME="ada-lovelace",
        HOME=str(tmp_path / "home/ada-lovelace"),
    )
    (labkit.home / "reports").mkdir(exist_ok=True)
    report = labkit.home / "reports" / "99999999-000000-000001.txt"
    report.write_text(
        "command   labkit lab 1 check\n"
        "GET https://example.org/hook?token=query-pa55&x=1\nAuthorization: Bearer abcdefgh12345678\n"
        'password = "log-pa55 with spaces"\nmysql --password=option-pa55\nMY_SECRET: yaml-pa55\n'
        f"File {tmp_path}/home/ada-lovelace/work/x.py, /Users/ada-lovelace/y, C:\\Users\\ada-lovelace\\z by ada-lovelace\n"
        "sent tok-from-the-environment as it is\n"
    )
    try:
        labkit("support", str(tmp_path / "help.zip"))
    finally:
        report.unlink()
    inside = read(tmp_path / "help.zip")
    assert "command   labkit lab 1 check" in inside[f"reports/{report.name}"]
    assert "proxy.example:3128" in inside["environment.txt"]
    for name, text in inside.items():
        for secret in ("pa55", "tok-from-the-environment", "abcdefgh12345678", "lovelace", "with spaces"):
            assert secret not in text, f"{secret} is in {name}:\n{text}"
        if name.endswith(".json"):
            json.loads(text)


def test_without_a_stack_the_rest_is_there(labkit: Labkit, tmp_path: Path) -> None:
    labkit("support", str(tmp_path / "help.zip"))
    inside = read(tmp_path / "help.zip")
    assert "there is no such stack" in inside["about.txt"]
    assert "doctor.txt" in inside


def test_a_damaged_stack_is_no_reason_to_fail(labkit: Labkit, tmp_path: Path) -> None:
    labkit.directory.mkdir(parents=True, exist_ok=True)
    (labkit.directory / "stack.json").write_text("{")
    labkit("support", str(tmp_path / "help.zip"))
    (labkit.directory / "stack.json").unlink()
    assert "description is damaged" in read(tmp_path / "help.zip")["about.txt"]


def test_an_older_support_file_is_replaced_and_nothing_else(labkit: Labkit, tmp_path: Path) -> None:
    file, diary = tmp_path / "help.zip", tmp_path / "diary.txt"
    labkit("support", str(file))
    labkit("support", str(file))
    diary.write_text("dear diary")
    done = labkit("support", str(diary), ok=False)
    assert done.returncode == 1
    assert "is not a support file" in done.stderr
    assert diary.read_text() == "dear diary"
    assert labkit("support", str(tmp_path), ok=False).stderr.splitlines()[-1] == f"Next: labkit support {tmp_path}/labkit-support.zip"
    assert labkit("support", str(tmp_path / "no/such/folder.zip"), ok=False).returncode == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["diary.txt", "help.zip"]


clean = cleaner({"DB_PASSWORD": "hunter2!", "EMPTY_TOKEN": "", "A_KEY": "abcdefgh"}, home=Path("/home/ada"), user="ada", host="countess")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("kafka@orders ready on 127.0.0.1:9092", "kafka@orders ready on 127.0.0.1:9092"),
        ("said hunter2! twice", "said (removed) twice"),
        ("/home/ada/x and /home/adam/y", "~/x and /home/(user)/y"),
        ("ada on countess, adamant", "(user) on (host), adamant"),
        ('{"password": "a\\"b", "user": "x"}', '{"password": "(removed)", "user": "x"}'),
        ("{'api_key': 'x', 'n': 1}", "{'api_key': '(removed)', 'n': 1}"),
        ("redis://:pw@127.0.0.1:6379/0", "redis://(removed)@127.0.0.1:6379/0"),
        ("MYSQL_PASSWORD='o\\'x'", "MYSQL_PASSWORD='(removed)'"),
        ("key ghp_0123456789abcdefABCDEF0123 end", "key (removed) end"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nrest", "(removed)\nrest"),
        ("message 0000019d47ef7a50-0242ac1200050000 sent", "message 0000019d47ef7a50-0242ac1200050000 sent"),
        ("partition key: 17, offset 3", "partition key: 17, offset 3"),
    ],
)
def test_what_is_removed_and_what_stays(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
