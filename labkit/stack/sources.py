"""The files of each service, and a digest per service. A changed digest means that the service has to be restarted.

A service's files are its package's `__main__.py`, all modules of its workspace that it imports directly or indirectly, and the data files
that belong to these modules or that they name. They are found by reading the source, never by running it. An import or a name counts
anywhere in a module, so the result may include too many files, but never too few.
"""

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

ROOT = "services"
MOST_BESIDE = 20_000  # files; a folder with more is probably a home directory, not a workspace
_FROM = re.compile(r"^[ \t]*from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n#]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n#]*)", re.MULTILINE)
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_BY_NAME = re.compile(
    r"\bimport_module\b|\b__import__\b|\brunpy\b|\bspec_from_file_location\b|\bpkgutil\b|\bexec\("
)  # such imports cannot be resolved by reading
_OTHER_PLACE = re.compile(r"\bsys\.path\b")  # modules may then be in any folder
_LISTS = re.compile(r"\b(?:iterdir|listdir|scandir|r?glob|walk)\(")
_LIST_NO_DATA = (f"{ROOT}/web/", f"{ROOT}/messaging/")  # what these packages list is not part of a workspace
_TEXT = re.compile(r"""["']([^"'\n]+)["']""")
_IN_FORCE = ("__pycache__", "node_modules", "site-packages")


def files(source: Path) -> dict[str, bytes]:
    """Return the services' files: path relative to `source` (with `/`) to content. Skips files that Python or an editor creates."""
    return _read(_paths(source))


def _read(paths: Iterable[tuple[str, Path]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, path in paths:
        with suppress(FileNotFoundError, IsADirectoryError, PermissionError):  # an editor removes and creates files when it saves
            found[name] = path.read_bytes()
    return found


def looks(source: Path) -> dict[str, tuple[int, int]]:
    """Return modification time (ns) and size of each file of the services, and of the other workspace files that they load.

    Cheap, because it is called repeatedly.
    """
    beside = dict(_beside(source))
    found = _stats(_paths(source))
    modules = _stats((name, path) for name, path in beside.items() if name.endswith(".py"))
    loaded = _loaded(source, tuple({**found, **modules}.items()), tuple(beside)) if beside else frozenset()
    return found | _stats((name, path) for name, path in beside.items() if name in loaded)


def _stats(paths: Iterable[tuple[str, Path]]) -> dict[str, tuple[int, int]]:
    found = {}
    for name, path in paths:
        with suppress(OSError):
            seen = path.stat()
            found[name] = (seen.st_mtime_ns, seen.st_size)
    return found


@lru_cache(maxsize=2)
def _loaded(source: Path, modules: object, beside: tuple[str, ...]) -> frozenset[str]:
    """Return the files outside `services` that the services load. The result is cached until `modules` or the file names change."""
    everything = _Files(source, {name: source / name for name in beside})
    return frozenset(path for service in everything.services for path in everything.of(service))


def _paths(source: Path) -> Iterator[tuple[str, Path]]:
    return _walk(source, source / ROOT)


def _beside(source: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a workspace that are outside its `services` folder."""
    if (source / ".labkit").is_dir():
        for count, found in enumerate(_walk(source, source, without=ROOT)):
            if count == MOST_BESIDE:
                return
            yield found


def _walk(source: Path, top: Path, *, without: str = "") -> Iterator[tuple[str, Path]]:
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _IN_FORCE
            and not Path(folder, name, "pyvenv.cfg").exists()
            and not (name == without and Path(folder) == top)
        )
        within = Path(folder).relative_to(source).as_posix()
        for name in sorted(names):
            path = Path(folder, name)
            if (
                not name.startswith("." if not without else (".labkit", ".#"))
                and not name.endswith((".pyc", "~", ".labkit"))
                and path.is_file()
            ):
                yield name if within == "." else f"{within}/{name}", path


def digests(source: Path, services: Collection[str]) -> dict[str, str]:
    """Return for each service 16 hexadecimal digits that change with any of its files."""
    everything = _Files(source, dict(_beside(source)))
    return {service: everything.digest(everything.of(service)) for service in services}


def files_of(source: Path, service: str) -> set[str]:
    """Return the paths of one service's files."""
    return _Files(source, dict(_beside(source))).of(service)


class _Files:
    """All files that services can load, by path. Data files outside `services` are read on demand."""

    def __init__(self, source: Path, beside: Mapping[str, Path]) -> None:
        self._beside = beside
        self._modules = {**files(source), **_read((name, path) for name, path in beside.items() if name.endswith(".py"))}
        self._imports = _imports(self._modules)
        starts = re.compile(rf"{ROOT}/(\w+)/__main__\.py")
        self.services = [found[1] for path in self._modules if (found := starts.fullmatch(path))]
        self._data = [path for path in (*self._modules, *beside) if not path.endswith(".py")]
        self._packages = {path.rpartition("/")[0] for path in self._modules if path.endswith(".py")}
        self._texts: dict[str, str] = {}
        self._names: dict[str, set[str]] = {}

    def of(self, service: str) -> set[str]:
        modules = _closure(service, self._modules, self._imports)
        folders = {path.rpartition("/")[0] for path in modules}
        named = {piece for path in modules for piece in self._named(path)}
        kinds = tuple(kind for piece in named if (kind := _kind(piece)))
        everything = any(_LISTS.search(self._text(path)) for path in modules if not path.startswith(_LIST_NO_DATA))
        scripts = [path for path in self._modules if path.rpartition("/")[2] in named]

        def is_loaded(path: str) -> bool:
            *above, name = path.split("/")
            if (package := self._package_of(path)) and package in folders:
                return True
            if path not in self._beside:
                return name in named and above[-1] in named
            return everything or name in named or not named.isdisjoint(above) or bool(kinds and name.endswith(kinds))

        return modules | {path for path in (*self._data, *scripts) if is_loaded(path)}

    def _named(self, path: str) -> set[str]:
        """Return the strings in a module that could name files or folders."""
        if path not in self._names:
            self._names[path] = {piece for literal in _TEXT.findall(self._text(path)) for piece in re.split(r"[/\\]", literal)}
        return self._names[path]

    def _package_of(self, path: str) -> str:
        """Return the nearest enclosing folder that has modules."""
        folder = path.rpartition("/")[0]
        while folder and folder not in self._packages:
            folder = folder.rpartition("/")[0]
        return folder

    def _text(self, path: str) -> str:
        if path not in self._texts:
            self._texts[path] = self._modules[path].decode(errors="replace")
        return self._texts[path]

    def digest(self, paths: set[str]) -> str:
        digest = hashlib.sha256()
        for path in sorted(paths):
            content = self._modules.get(path)
            if content is None:
                content = _read([(path, self._beside[path])]).get(path, b"")
            digest.update(f"{path}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()[:16]


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
    return found


def _kind(piece: str) -> str:
    """Return the extension from a pattern: `.json` for `*.json`, `.json` and `{name}.json`. Such patterns do not name one file."""
    found = re.fullmatch(r"(?:\*|.*\}|)(\.\w+)", piece)
    return found[1] if found else ""


def _packages_above(path: str, everything: Mapping[str, bytes]) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        if f"{path}/__init__.py" in everything:
            yield f"{path}/__init__.py"


def _imported(path: str, text: str, everything: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the files that a module imports. Yields nothing for other files."""
    if not path.endswith(".py"):
        return
    text = text.replace("\\\n", " ")
    if _BY_NAME.search(text):
        yield from everything
        return
    anywhere = bool(_OTHER_PLACE.search(text))
    for module, names in _FROM.findall(text):
        base = _absolute(module, path)
        yield from _files_of(base, everything, anywhere)
        for name in _NAME.findall(names):
            yield from _files_of(f"{base}/{name}", everything, anywhere)
    for modules in _IMPORT.findall(text):
        for module in modules.split(","):
            yield from _files_of(module.split()[0].replace(".", "/") if module.split() else "", everything, anywhere)


def _absolute(module: str, path: str) -> str:
    """Resolve a relative import: `..money` in services/orders/store.py is services/money."""
    dots = len(module) - len(module.lstrip("."))
    rest = module[dots:].replace(".", "/")
    if not dots:
        return rest
    package = path.split("/")[:-dots]
    return "/".join([*package, rest] if rest else package)


def _files_of(module: str, everything: Mapping[str, bytes], anywhere: bool) -> Iterator[str]:
    for path in (f"{module}.py", f"{module}/__init__.py"):
        if path in everything:
            yield path
        if anywhere and module:
            yield from (other for other in everything if other.endswith(f"/{path}"))


def forget_unsafe_bytecode(source: Path) -> None:
    """Remove compiled modules that Python could wrongly consider up to date.

    Python identifies the source of a compiled module by size and modification time in seconds. A module that was compiled in the second of
    that change, or before its source was replaced by a file with an older time (`cp -p`, `mv`), may come from another text of the same
    size.
    """
    for folder in {path.parent for name, path in (*_paths(source), *_beside(source)) if name.endswith(".py")}:
        for compiled in (folder / "__pycache__").glob("*.pyc"):
            with suppress(OSError):
                module = (folder / f"{compiled.name.partition('.')[0]}.py").stat()
                if int(compiled.stat().st_mtime) <= int(max(module.st_mtime, module.st_ctime)):
                    compiled.unlink()
