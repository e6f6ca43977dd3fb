"""Which files each service runs with, and one digest of them a service: what tells that a service has to be started again.

A service's files are its package's `__main__.py`, all modules of `services` that it imports, directly or not, and every file beside them
that is no module (`schema.sql`, `project.lua`). They are found by reading, never by running: an import anywhere in a file counts, so that
what is found is all of it or too much.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from labkit.stack.model import SERVICES

ROOT = "services"
_FROM = re.compile(r"^[ \t]*from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n#]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n#]*)", re.MULTILINE)
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_BY_NAME = re.compile(r"\bimport_module\b|\b__import__\b|\brunpy\b")  # what is imported so, nobody can read


def files(source: Path) -> dict[str, bytes]:
    """Every file of the services by its path from `source`, with `/`; without what Python or an editor puts beside them."""
    found: dict[str, bytes] = {}
    for name, path in _paths(source):
        with suppress(FileNotFoundError, IsADirectoryError):  # an editor that saves removes and makes files
            found[name] = path.read_bytes()
    return found


def looks(source: Path) -> dict[str, tuple[int, int]]:
    """Each file's time of its last change (ns) and size: cheap, to be asked again and again."""
    found = {}
    for name, path in _paths(source):
        with suppress(OSError):
            seen = path.stat()
            found[name] = (seen.st_mtime_ns, seen.st_size)
    return found


def _paths(source: Path) -> Iterator[tuple[str, Path]]:
    for folder, folders, names in os.walk(source / ROOT):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        within = Path(folder).relative_to(source).as_posix()
        for name in sorted(names):
            path = Path(folder, name)
            if not name.startswith(".") and not name.endswith((".pyc", "~")) and path.is_file():
                yield f"{within}/{name}", path


def digests(source: Path) -> dict[str, str]:
    """By service: 16 hexadecimal digits that change whenever one of its files does."""
    everything = files(source)
    imports = _imports(everything)
    return {service: _digest(everything, _closure(service, everything, imports)) for service in SERVICES}


def files_of(source: Path, service: str) -> set[str]:
    """The paths of one service's files."""
    everything = files(source)
    return _closure(service, everything, _imports(everything))


def _imports(everything: Mapping[str, bytes]) -> dict[str, set[str]]:
    return {path: set(_imported(path, content.decode(errors="replace"), everything)) for path, content in everything.items()}


def package_of(service: str) -> str:
    return f"{ROOT}/{service.replace('-', '_')}"


def _closure(service: str, everything: Mapping[str, bytes], imports: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    open_ends = {path for path in (f"{package_of(service)}/__main__.py", f"{package_of(service)}/__init__.py") if path in everything}
    while open_ends:
        path = open_ends.pop()
        found.add(path)
        open_ends |= (imports[path] | set(_packages_above(path, everything))) - found
    folders = {path.rpartition("/")[0] for path in found}
    return found | {path for path in everything if not path.endswith(".py") and path.rpartition("/")[0] in folders}


def _packages_above(path: str, everything: Mapping[str, bytes]) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        if f"{path}/__init__.py" in everything:
            yield f"{path}/__init__.py"


def _imported(path: str, text: str, everything: Mapping[str, bytes]) -> Iterator[str]:
    """The files that a file imports, if it is a module."""
    if not path.endswith(".py"):
        return
    text = text.replace("\\\n", " ")
    if _BY_NAME.search(text):
        yield from everything
        return
    for module, names in _FROM.findall(text):
        base = _absolute(module, path)
        yield from _files_of(base, everything)
        for name in _NAME.findall(names):
            yield from _files_of(f"{base}/{name}", everything)
    for modules in _IMPORT.findall(text):
        for module in modules.split(","):
            yield from _files_of(module.split()[0].replace(".", "/") if module.split() else "", everything)


def _absolute(module: str, path: str) -> str:
    """`..money` in services/orders/store.py is services/money."""
    dots = len(module) - len(module.lstrip("."))
    rest = module[dots:].replace(".", "/")
    if not dots:
        return rest
    package = path.split("/")[:-dots]
    return "/".join([*package, rest] if rest else package)


def _files_of(module: str, everything: Mapping[str, bytes]) -> Iterator[str]:
    for path in (f"{module}.py", f"{module}/__init__.py"):
        if path in everything:
            yield path


def _digest(everything: Mapping[str, bytes], paths: set[str]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path}\0{len(everything[path])}\0".encode())
        digest.update(everything[path])
    return digest.hexdigest()[:16]


def forget_unsafe_bytecode(source: Path) -> None:
    """Remove compiled modules that Python could take for current although they are not.

    Python knows a compiled module's source by its size and the second of its last change. One that was compiled in that very second may be
    of an earlier text of the same size."""
    for compiled in (source / ROOT).rglob("__pycache__/*.pyc"):
        with suppress(OSError):
            module = compiled.parent.parent / f"{compiled.name.partition('.')[0]}.py"
            if int(compiled.stat().st_mtime) <= int(module.stat().st_mtime):
                compiled.unlink()
