"""Trees of small files as dictionaries from path (with `/`) to content: a lab's starting point, its solution, the files of a workspace."""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from labkit import paths
from labkit.catalog.labs import Lab
from labkit.errors import UserError
from labkit.stack import sources

Tree = dict[str, bytes]


def reference() -> Tree:
    """Return the reference services, which contain the result of every exercise."""
    return sources.files(paths.content())


def starting_point(lab: Lab) -> Tree:
    """Return the files that a lab starts with: the reference, overlaid with the lab's starter. An earlier solution is never part of it."""
    return {**reference(), **folder(lab.starter)}


def solved(lab: Lab) -> Tree:
    """Return the solved lab: the reference, the files that only the starter has, and the lab's solution on top."""
    return {**folder(lab.starter), **reference(), **folder(lab.solution)}


def exercise(lab: Lab) -> list[str]:
    """Return the paths that differ between the lab's starting point and its solution."""
    start, end = starting_point(lab), solved(lab)
    return sorted(path for path in start.keys() | end.keys() if start.get(path) != end.get(path))


def folder(root: Path) -> Tree:
    """Return all files of a lab's starter or solution; empty if the folder does not exist."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def in_services(path: str) -> bool:
    return path.startswith(f"{sources.ROOT}/")


def of_workspace(root: Path, beside: Iterable[str]) -> Tree:
    """Return the services in a folder, and the files of `beside` that exist there."""
    found = sources.files(root)
    for path in beside:
        with suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            found[path] = (root / path).read_bytes()
    return found


def digest(tree: Mapping[str, bytes]) -> str:
    """Return a digest of the tree: 16 hexadecimal digits."""
    found = hashlib.sha256()
    for path in sorted(tree):
        found.update(f"{path}\0{len(tree[path])}\0".encode())
        found.update(tree[path])
    return found.hexdigest()[:16]


def changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[str]:
    """Return the paths whose content differs."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def put(path: Path, content: bytes) -> None:
    """Replace a file atomically and sync it. Raises UserError if a folder is in its place."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, but the lab needs a file there.", f"move {path} away")
    paths.write(path, content)
