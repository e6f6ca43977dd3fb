"""The shared stack, run from faulty services."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.stack import sources
from tests.running import ROOT, SERVICES, RunningStack


@pytest.fixture(scope="module")
def services(shared_stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of services from which the stack runs during a module. The next reset applies what is written there."""
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(ROOT / "services", folder / "services", ignore=shutil.ignore_patterns("__pycache__"))
    shared_stack.labkit("up", "--services", str(folder))
    yield folder / "services"
    shared_stack.labkit("up", "--services", str(ROOT))
    shared_stack.labkit("reset", "--yes")


@pytest.fixture
def changed(stack: RunningStack, services: Path) -> Iterator[Callable[..., RunningStack]]:
    """Runs the emptied stack from services in which one text is replaced by another. Afterwards it runs the correct services again."""
    written: list[Path] = []
    right = sources.digests(services.parent, SERVICES)

    def change(file: str, good: str, bad: str) -> RunningStack:
        path = services / file
        source = path.read_text()
        assert good in source, f"{file} no longer says {good!r}"
        path.write_text(source.replace(good, bad, 1))
        written.append(path)
        stack.labkit("reset", "--yes")
        return RunningStack(stack.labkit)

    yield change
    wrong = sources.digests(services.parent, SERVICES)
    for path in written:
        shutil.copyfile(ROOT / "services" / path.relative_to(services), path)
    stack.labkit("restart", *(name for name in SERVICES if wrong[name] != right[name]))


@pytest.fixture
def right(stack: RunningStack, services: Path) -> RunningStack:
    """The emptied stack with the correct services."""
    stack.labkit("reset", "--yes")
    return RunningStack(stack.labkit)
