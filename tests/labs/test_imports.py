"""A lab's author needs one import: lab modules use labkit.checking, no other part of labkit and no database client."""

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import checking
from labkit.catalog.labs import all_labs
from labkit.checking.session import Session
from labkit.checking.trial import Trial
from labkit.stack.model import Stack
from labkit.system import find as profiles
from tests.running import ROOT

MODULES = [path for lab in all_labs() for path in sorted(lab.folder.glob("*.py"))]
CLIENTS = {"pymysql", "aiomysql", "redis", "hiredis", "confluent_kafka", "duckdb", "httpx"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_lab_imports_nothing_else(path: Path) -> None:
    for name in imported(path):
        assert name.partition(".")[0] not in CLIENTS, name
        assert name.partition(".")[0] != "labkit" or name in ("labkit.checking", "labkit.checking.invariants"), name


def test_the_documentation_names_what_a_trial_has(tmp_path: Path) -> None:
    stack = Stack("none", tmp_path, "native", profiles.default(), tmp_path, 0, (), 0)
    session = Session(stack, "a test")
    text = (ROOT / "docs" / "writing-a-lab.md").read_text(encoding="utf-8")
    with Trial(session, 1) as trial:
        for path in set(re.findall(r"\btrial\.([a-z_]+(?:\.[a-z_]+)?)", text)):
            found: object = trial
            for name in path.split("."):
                assert hasattr(found, name), path
                found = getattr(found, name)
    asyncio.run(session.close())


@pytest.mark.parametrize("name", checking.__all__)
def test_each_name_is_there(name: str) -> None:
    assert getattr(checking, name) is not None
