"""Trees of small files as dictionaries, path (with `/`) to content: what a lab starts from, what solves it, what a workspace holds."""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from labkit import paths
from labkit.catalog.labs import Lab
from labkit.errors import UserError
from labkit.stack import sources

KEPT = ".labkit"  # the folder of a workspace that is labkit's own
Tree = dict[str, bytes]


def reference() -> Tree:
    """The services that contain every exercise's result."""
    return sources.files(paths.content())


def starting_point(lab: Lab) -> Tree:
    """Always the reference and the lab's starter over it, never an earlier solution."""
    return {**reference(), **folder(lab.starter)}


def solved(lab: Lab) -> Tree:
    """The reference, the files that the starter brings beside the services, and the lab's solution over them."""
    beside = {path: content for path, content in folder(lab.starter).items() if not in_services(path)}
    return {**reference(), **beside, **folder(lab.solution)}


def exercise(lab: Lab) -> list[str]:
    """The files that differ between where a lab starts and where it is solved."""
    start, end = starting_point(lab), solved(lab)
    return sorted(path for path in start.keys() | end.keys() if start.get(path) != end.get(path))


def folder(root: Path) -> Tree:
    """All files of a lab's starter or solution; empty when there is none."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def in_services(path: str) -> bool:
    return path.startswith(f"{sources.ROOT}/")


def of_workspace(root: Path, beside: Iterable[str]) -> Tree:
    """The services as they are in a folder, and those of the files `beside` them that are there."""
    found = sources.files(root)
    for path in beside:
        with suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            found[path] = (root / path).read_bytes()
    return found


def digest(tree: Mapping[str, bytes]) -> str:
    """16 hexadecimal digits."""
    found = hashlib.sha256()
    for path in sorted(tree):
        found.update(f"{path}\0{len(tree[path])}\0".encode())
        found.update(tree[path])
    return found.hexdigest()[:16]


def changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[str]:
    """The paths that are not the same in both."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def put(path: Path, content: bytes) -> None:
    """Replace a file in one step, and sync it. A folder in its place is refused with UserError."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, and a file of the lab is to be there.", f"move {path} away")
    paths.write(path, content)
