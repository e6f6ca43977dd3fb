"""The author of a lab needs one import: the modules of labs use labkit.checking, and no other part of labkit and no database client."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import checking
from labkit.lab.catalog import all_labs

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


@pytest.mark.parametrize("name", checking.__all__)
def test_each_name_is_there(name: str) -> None:
    assert getattr(checking, name) is not None
