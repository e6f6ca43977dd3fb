"""Edits take effect: the services whose files changed are restarted, and no others."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.stack import sources, state
from labkit.stack.model import Stack
from labkit.stack.readiness import NotReady
from labkit.workspace.edits import take_over
from tests.e2e.shop import new_customer
from tests.running import ROOT, SERVICES, RunningStack, wait_until

LIST_MODULES = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "services"]))
"""


def edit(folder: Path, file: str, good: str = "", bad: str = "") -> None:
    path = folder / "services" / file
    text = path.read_text()
    assert good in text, f"{file} no longer says {good!r}"
    path.write_text(text.replace(good, bad) if good else f"{text}\n# edited\n")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the services."""
    shutil.copytree(ROOT / "services", tmp_path / "services", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("service", SERVICES)
def test_every_module_that_a_service_imports_is_among_its_files(service: str) -> None:
    import json

    package = sources.package_of(service).replace("/", ".")
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, f"{package}.app"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": "."},
    )
    imported = {Path(file).relative_to(ROOT).as_posix() for file in json.loads(done.stdout) if file}
    assert f"{sources.package_of(service)}/app.py" in imported
    assert imported <= sources.files_of(ROOT, service)


@pytest.mark.parametrize(
    ("file", "concerned"),
    [
        ("customers/handlers.py", {"customers"}),
        ("orders/handlers.py", {"orders"}),
        ("order_history/view.py", {"order-history"}),
        ("order_history/apply_event.lua", {"order-history"}),
        ("gateway/openapi.json", {"gateway"}),
        ("messaging/relay/polling.py", {"relay"}),
        ("messaging/inbox.py", {"customers", "orders"}),
        ("contracts/orders.py", {"customers", "orders", "order-history"}),
        ("web/server.py", set(SERVICES)),
    ],
)
def test_an_edit_concerns_the_services_that_run_with_the_file(copy: Path, file: str, concerned: set[str]) -> None:
    before = sources.digests(copy, SERVICES)
    path = copy / "services" / file
    path.write_text(path.read_text() + "\n")
    after = sources.digests(copy, SERVICES)
    assert {service for service in SERVICES if before[service] != after[service]} == concerned


BESIDE = [
    # a file next to the services or among them; how orders/app.py uses it
    ("rules.py", "import rules"),
    ("rules.py", "from rules import limit as most"),
    ("shop/rules.py", "from shop.rules import limit"),
    ("shop/rules.py", "import shop.rules"),
    ("lib/rules.py", "import sys\nsys.path.insert(0, 'lib')\nimport rules"),
    ("lib/rules.py", "exec(open('lib/rules.py').read())"),
    ("rules.py", "import importlib\nrules = importlib.import_module('rules')"),
    ("limits.json", "from pathlib import Path\nLIMITS = Path(__file__).parents[2] / 'limits.json'"),
    ("limits", "LIMITS = open('limits').read()"),
    ("data/limits.json", "LIMITS = open('data/limits.json').read()"),
    ("data/limits.json", "from pathlib import Path\nLIMITS = list(Path('data').glob('*'))"),
    ("data/deep/limits.json", "LIMITS = open(f'data/deep/{name}.json').read()"),
    (".limits", "LIMITS = open('.limits').read()"),
    ("anything.txt", "import os\nLIMITS = os.listdir()"),
    ("services/orders/lua/limits.lua", "LIMITS = 1"),
    ("services/orders/sql/deep/limits.sql", "LIMITS = 1"),
    ("services/orders/limits.json", "LIMITS = 1"),
    ("services/shared/limits.json", "from pathlib import Path\nLIMITS = Path(__file__).parents[1] / 'shared' / 'limits.json'"),
    ("services/shared.json", "LIMITS = 1"),
]


@pytest.mark.parametrize(("file", "loads"), BESIDE)
def test_whatever_a_service_loads_from_its_workspace_is_in_its_digest(copy: Path, file: str, loads: str) -> None:
    (copy / ".labkit").mkdir()
    edit(copy, "orders/app.py", "import msgspec\n", f"import msgspec\n\n{loads}\n")
    path = copy / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("limit = 1\n")
    seen, looked = sources.digests(copy, SERVICES), sources.looks(copy)
    path.write_text("limit = 2\n")
    edited = sources.digests(copy, SERVICES)
    assert edited["orders"] != seen["orders"]
    assert sources.looks(copy)[file] != looked[file]
    path.rename(path.with_name("moved" + path.suffix))
    moved = sources.digests(copy, SERVICES)
    assert moved["orders"] != edited["orders"]


@pytest.mark.parametrize(
    "file", ["notes.md", "saga.yml", "orders.csv", "out/log.txt", ".git/HEAD", ".labkit/progress.json", "venv/x/limits.json"]
)
def test_what_no_service_loads_is_in_no_digest(copy: Path, file: str) -> None:
    (copy / ".labkit").mkdir()
    (copy / "venv").mkdir()
    (copy / "venv/pyvenv.cfg").touch()
    (copy / "rules.py").write_text("limit = 1\n")
    edit(copy, "orders/app.py", "import msgspec\n", "import msgspec\nimport rules\nLIMITS = open('limits.json')\n")
    before, looked = sources.digests(copy, SERVICES), sources.looks(copy)
    path = copy / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("limit = 1\n")
    assert sources.digests(copy, SERVICES) == before
    assert sources.looks(copy) == looked


def test_a_file_put_in_place_with_an_older_time_is_compiled_again(tmp_path: Path) -> None:
    """As `cp -p` and `mv` do; also for files next to the services."""
    (tmp_path / ".labkit").mkdir()
    (tmp_path / "services").mkdir()
    said = []
    for answer in (1, 2):
        aside = tmp_path / "aside"
        aside.write_text(f"print({answer})\n")
        os.utime(aside, (1_700_000_000, 1_700_000_000))
        aside.rename(tmp_path / "answer.py")
        sources.forget_unsafe_bytecode(tmp_path)
        done = subprocess.run([sys.executable, "-c", "import answer"], capture_output=True, text=True, check=True, cwd=tmp_path)
        said.append(done.stdout.strip())
    assert said == ["1", "2"]


def test_what_is_imported_by_name_cannot_be_read_so_that_every_file_counts(copy: Path) -> None:
    edit(
        copy,
        "relay/app.py",
        "import asyncio\n",
        "import asyncio\nimport importlib\n\nstore = importlib.import_module('services.orders.store')\n",
    )
    before = sources.digests(copy, SERVICES)
    edit(copy, "orders/store.py")
    assert sources.digests(copy, SERVICES)["relay"] != before["relay"]


def test_a_module_compiled_in_the_second_of_its_last_edit_is_compiled_again(tmp_path: Path) -> None:
    package = tmp_path / "services"
    package.mkdir()
    (package / "__init__.py").write_text("")
    said = []
    for answer in (1, 2, 3):  # written as fast as possible: same size, usually the same second
        (package / "answer.py").write_text(f"print({answer})\n")
        sources.forget_unsafe_bytecode(tmp_path)
        done = subprocess.run([sys.executable, "-m", "services.answer"], capture_output=True, text=True, check=True, cwd=tmp_path)
        imported = subprocess.run(
            [sys.executable, "-c", "import services.answer"], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        said.append((done.stdout.strip(), imported.stdout.strip()))
    assert said == [("1", "1"), ("2", "2"), ("3", "3")]


@pytest.fixture
def on_a_copy(stack: RunningStack, copy: Path) -> Iterator[Stack]:
    """The shared stack, running from the copy."""
    stack.labkit("up", "--services", str(copy))
    yield described(stack)
    stack.labkit("up", "--services", str(ROOT))


def described(stack: RunningStack) -> Stack:
    found = state.find(stack.labkit.name)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def at_home(labkit_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(labkit_home))


def test_only_what_was_edited_is_started_again(stack: RunningStack, on_a_copy: Stack, copy: Path) -> None:
    assert take_over(on_a_copy) == []
    begun = time.monotonic()
    edit(copy, "customers/handlers.py")
    assert take_over(on_a_copy) == ["customers"]
    assert stack.begun_since(begun) == {"customers"}
    assert take_over(on_a_copy) == []
    assert [c.endpoint for c in described(stack).components] == [c.endpoint for c in on_a_copy.components]


def test_what_does_not_start_says_why_each_time_until_it_is_mended(stack: RunningStack, on_a_copy: Stack, copy: Path) -> None:
    edit(copy, "orders/handlers.py", "async def ", "async dfe ")
    for _ in range(2):
        with pytest.raises(NotReady) as refused:
            take_over(on_a_copy)
        assert refused.value.component == "orders"
        assert any("SyntaxError" in line for line in refused.value.details)
    edit(copy, "orders/handlers.py", "async dfe ", "async def ")
    assert take_over(on_a_copy) == ["orders"]
    wait_until(lambda: stack.labkit.status()["ready"], "all runs again")


def test_a_stopped_service_stays_stopped(stack: RunningStack, on_a_copy: Stack) -> None:
    stack.kill("gateway")
    assert take_over(on_a_copy) == []
    assert stack.pids()["gateway"] is None


def test_a_view_whose_code_was_edited_is_built_anew(stack: RunningStack, on_a_copy: Stack, copy: Path) -> None:
    """The data that the old code wrote, right or wrong, is not reused."""
    ada = new_customer(stack.url("gateway"), "15.00")
    key = f"customerview:{ada}"
    wait_until(lambda: stack.redis.hexists(key, "name"), "the view has the customer")
    stack.redis.hset(key, "name", "Nobody")
    edit(copy, "customers/handlers.py")
    assert take_over(on_a_copy) == ["customers"]
    assert stack.redis.hget(key, "name") == "Nobody"
    edit(copy, "order_history/view.py")
    assert take_over(on_a_copy) == ["order-history"]
    wait_until(lambda: stack.redis.hget(key, "name") not in (None, "Nobody"), "the view has been built anew")
