"""A small system with one lab: its files have few mutants, and tests may write to its folders."""

from pathlib import Path

import pytest

from labkit import paths
from labkit.mutation.model import GeneratedMutant
from labkit.mutation.subject import Subject, find

STORE = "def total(one, other):\n    return one + other\n"
HANDLERS = "def fits(total, limit):\n    return total <= limit\n"
LAB = 'number: 1\ntitle: "Exact fits"\nminutes: 5\n'


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with services and labs."""
    folder = tmp_path / "content"
    for path, text in {
        "services/orders/store.py": STORE,
        "services/customers/handlers.py": HANDLERS,
        "labs/01-exact-fits/lab.yaml": LAB,
        "labs/01-exact-fits/starter/services/customers/handlers.py": HANDLERS.replace("<=", "<"),
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    monkeypatch.setattr(paths, "content", lambda: folder)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def exercise(content: Path) -> Subject:
    """The exercise of the only lab: services/customers/handlers.py."""
    return find(1)


@pytest.fixture
def first(exercise: Subject) -> GeneratedMutant:
    return exercise.mutants[0]
