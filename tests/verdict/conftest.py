"""The shared stack, run from services that are wrong."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.running import ROOT, RunningStack


@pytest.fixture
def changed(stack: RunningStack, tmp_path: Path) -> Iterator[Callable[..., RunningStack]]:
    """Runs the stack, emptied, from services in which one text is replaced by another; afterwards with those that are right."""
    shutil.copytree(ROOT / "services", tmp_path / "services", ignore=shutil.ignore_patterns("__pycache__"))

    def change(file: str, good: str, bad: str) -> RunningStack:
        path = tmp_path / "services" / file
        source = path.read_text()
        assert good in source, f"{file} no longer says {good!r}"
        path.write_text(source.replace(good, bad, 1))
        stack.labkit("up", "--services", str(tmp_path))
        stack.labkit("reset", "--yes")
        return RunningStack(stack.labkit)

    yield change
    stack.labkit("up", "--services", str(ROOT))
