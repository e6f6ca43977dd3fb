"""The file for the person who helps: the doctor's findings, versions, status, logs, events and the last evidence of one stack, without
secrets."""

import importlib.metadata
import io
import json
import os
import platform
import re
import shlex
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from labkit import __version__, paths
from labkit.doctor import examination, text
from labkit.errors import Damaged, UserError
from labkit.redaction import redact
from labkit.stack import accounts, installed, products, runtimes, stack_names, state, status
from labkit.stack.runtime import NATIVE, Runtime

LINES = 2000  # of each log
EVENTS = 5000
REPORTS = 3
LARGEST = 50_000_000  # bytes of evidence
ABOUT = "about.txt"  # every support file contains it, with this first line
FIRST_LINE = "labkit support"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
ENVIRONMENT = ("LABKIT_", "DOCKER_", "COMPOSE_", "JAVA_HOME", *(f"{each.upper()}_HOME" for each in products.NAMES), *PROXIES, "PATH")
# Variables that labkit sets and that hold no secrets. All others come from the user's environment.
SHOWN = ("LABKIT_", "EVENTUATE_", "HTTP_HOST", "HTTP_PORT", *(f"{each.upper()}_" for each in products.NAMES), "RELAY_", "TZ")

Part = tuple[str, Callable[[], str | bytes | None]]  # its name, and the function that returns its content or None


def collect(name: str) -> bytes:
    """Return the support file. Parts that cannot be collected are left out and named in about.txt. Raises UserError for an invalid stack
    name."""
    stack_names.directory_of(name)
    clean = _without(accounts.secrets_of(stack_names.directory_of(name)), redact.anonymous())
    buffer, missing, inside = io.BytesIO(), list[str](), list[str]()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for part, read in _parts(name, missing):
            try:
                found = read()
            except Exception as error:  # broken parts are expected here: they are why the user needs help
                missing.append(clean(f"{part}: {type(error).__name__}: {error}"))
                continue
            if found is not None:
                archive.writestr(part, clean(found) if isinstance(found, str) else found)
                inside.append(part)
        archive.writestr(ABOUT, _about(name, inside, missing))
    return buffer.getvalue()


def _without(own: Sequence[str], clean: Callable[[str], str]) -> Callable[[str], str]:
    """Return a cleaner that also removes the stack's own passwords, wherever they occur."""

    def cleaned(text: str) -> str:
        for secret in own:
            text = text.replace(secret, redact.REMOVED)
        return clean(text)

    return cleaned


def refuse(file: Path) -> None:
    """Raise UserError if the file would overwrite anything but a support file."""
    if file.is_dir():
        raise UserError(f"{file} is a folder.", f"labkit support {shlex.quote(str(file / 'labkit-support.zip'))}")
    if file.exists() and not _is_ours(file):
        raise UserError(f"{file} already exists and is not a support file.", "labkit support labkit-support.zip, or another name")


def write(file: Path, data: bytes) -> None:
    """Write the file atomically. Raises UserError if it cannot be written."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with aside.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(file)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}.", "labkit support ~/labkit-support.zip") from None
    finally:
        aside.unlink(missing_ok=True)


def contents(data: bytes) -> list[tuple[str, int]]:
    """Return the name and the size in bytes of each part."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(entry.filename, entry.file_size) for entry in archive.infolist()]


def _is_ours(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive, archive.open(ABOUT) as about:
            return about.read(len(FIRST_LINE)) == FIRST_LINE.encode()
    except Exception:  # an unreadable file is not a support file
        return False


def _about(name: str, inside: list[str], missing: list[str]) -> str:
    lines = [
        FIRST_LINE,
        f"labkit {__version__}, stack {name}, {time.strftime('%Y-%m-%d %H:%M:%S %z')}",
        "Removed: passwords, tokens, values of variables with a secret's name, and the names of the user and the machine.",
        "",
        *inside,
    ]
    if missing:
        lines += ["", "could not be collected:", *(f"  {line}" for line in missing)]
    return "\n".join(lines) + "\n"


def _parts(name: str, missing: list[str]) -> Iterator[Part]:
    yield from _doctor(name)
    yield "versions.json", lambda: _json(_versions())
    yield "environment.txt", _environment
    directory = stack_names.directory_of(name)
    yield "stack.json", lambda: _text(directory / "stack.json")
    yield "plan.json", lambda: _json(_plan(directory / "plan.json"))
    yield "compose.env", lambda: _text(directory / "compose.env")
    for note in ("mark.json", "reset.json", "lock", "faults.jsonl"):
        yield note, partial(_text, directory / note)
    yield "events.jsonl", lambda: _tail(directory / "events.jsonl", EVENTS)
    yield from _of_stack(name, missing)
    yield from _reports()
    yield from _evidence(directory / "runs", missing)


def _doctor(name: str) -> Iterator[Part]:
    found = examination.examine(name, None)
    yield "doctor.txt", lambda: "\n".join(text.lines(found)) + "\n"
    yield "doctor.json", lambda: _json(found.as_json())


def _of_stack(name: str, missing: list[str]) -> Iterator[Part]:
    """Yield the parts that need the stack's runtime."""
    try:
        stack = state.find(name)
    except Damaged as error:
        missing.append(f"status and logs: the stack's description is damaged: {error.message}")
        return
    if stack is None:
        missing.append("status and logs: there is no such stack")
        return
    runtime = runtimes.of_stack(stack)
    yield "status.json", lambda: _json(status.facts(stack))
    if stack.runtime != NATIVE:  # natively, events.jsonl has the events
        yield "events.json", lambda: _json(runtime.events(time.time() - 86400))
    for component in (*(c.name for c in stack.components), *runtime.extra):
        yield f"logs/{component}.log", partial(_log, runtime, component)


def _log(runtime: Runtime, component: str) -> str:
    return "".join(f"{line}\n" for line in runtime.log(component, LINES))


def _versions() -> dict[str, Any]:
    found: dict[str, Any] = {"labkit": __version__, "python": sys.version, "platform": platform.platform(), "machine": platform.machine()}
    found["packages"] = {name: version for name in _packages() if (version := _version(name))}
    try:
        found["servers"] = installed.find_all().versions()
    except UserError as error:
        found["servers"] = error.message
    return found


def _packages() -> list[str]:
    """Return the packages that labkit depends on."""
    try:
        needed = importlib.metadata.requires("labkit") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [re.split(r"[^\w.-]", each)[0] for each in needed if "extra ==" not in each]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _environment() -> str:
    """Return the variables that affect labkit, Docker or Java, and no others."""
    lines = []
    for variable, value in sorted(os.environ.items()):
        if variable.upper().startswith(ENVIRONMENT):
            shown = redact.REMOVED if redact.is_secret(variable) else value
            if variable.upper().endswith(("_PROXY", "_REGISTRY")):
                shown = redact.without_userinfo(shown)
            lines.append(f"{variable}={shown}\n")
    return "".join(lines)


def _plan(path: Path) -> Any:
    """Return each component's command with the names of its variables. Only variables that labkit sets keep their values."""
    if not path.exists():
        return None
    entries = json.loads(path.read_text())
    for entry in entries.values():
        entry["env"] = {n: v if _is_shown(n) else redact.REMOVED for n, v in entry["env"].items()}
    return entries


def _is_shown(variable: str) -> bool:
    return variable.startswith(SHOWN) and not redact.is_secret(variable)


def _reports() -> Iterator[Part]:
    """Yield the latest reports of labkit's own failures."""
    for path in sorted((paths.home() / "reports").glob("*.txt"))[-REPORTS:]:
        yield f"reports/{path.name}", partial(_text, path)


def _evidence(runs: Path, missing: list[str]) -> Iterator[Part]:
    """Yield the files of the last run."""
    found = sorted((entry for entry in runs.glob("*")), key=lambda entry: entry.stat().st_mtime)
    if not found:
        return
    last = found[-1]
    for path in sorted(file for file in last.rglob("*") if file.is_file()) if last.is_dir() else [last]:
        part = f"runs/{path.relative_to(runs)}"
        if path.stat().st_size > LARGEST:
            missing.append(f"{part}: {path.stat().st_size / 1e6:.0f} MB is too large; send it beside this file")
        elif path.suffix in (".json", ".jsonl", ".txt", ".log", ".md"):
            yield part, partial(_text, path)
        else:
            yield part, path.read_bytes


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, indent=1, default=str)


def _text(path: Path) -> str | None:
    return path.read_text(errors="replace") if path.exists() else None


def _tail(path: Path, count: int) -> str | None:
    return "".join(path.read_text(errors="replace").splitlines(keepends=True)[-count:]) if path.exists() else None
