"""Debian packages without installation: apt finds and fetches them in a private state directory, and labkit unpacks them into a tar file.

Needs no root, no chroot and no maintainer scripts, and does not read or change this machine's package database. apt verifies signatures and
checksums; dpkg-deb unpacks. Manuals, translations and documentation other than licenses are left out.
"""

import os
import re
import shutil
import subprocess
import tarfile
import time
import urllib.parse
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from labkit.errors import UserError
from labkit.images.parallel_work import Work

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR_VARIABLE = "LABKIT_DEBIAN_MIRROR"
ELSEWHERE = "labkit images import FILE with a bundle from another machine, or labkit images pull"

LEFT_OUT = (
    r"usr/share/(man|info|locale|lintian|bug|doc-base|bash-completion|zsh|fish|gdb|applications|pixmaps|icons|menu|mime|perl5|debconf)(/|$)"
    r"|usr/share/doc/[^/]+/(?!copyright$)|usr/share/doc/[^/]+$(?<!copyright)"
    r"|usr/lib/systemd(/|$)|etc/(init\.d|logrotate\.d|cron\.[a-z]+|apparmor\.d|default)(/|$)"
    r"|usr/lib/[^/]+/gconv/(?!gconv-modules|UTF|UNICODE|ISO8859-1\.)"
    r"|usr/lib/python3[^/]*/(test|idlelib|lib2to3|turtledemo|tkinter|ensurepip|pydoc_data)(/|$)"
)


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    size: int  # download size in bytes


class Suite:
    """The package lists of a suite, in a separate folder. Raises UserError with the next step when they are unavailable."""

    def __init__(self, name: str, architecture: str, folder: Path, work: Work) -> None:
        self.name, self.architecture, self._folder, self._work = name, architecture, folder, work
        for part in ("parts", "lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        (folder / "no-packages").touch()
        signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
        (folder / "sources").write_text(f"deb {signed}{mirror(work)} {name} main\n")

    def update(self) -> None:
        code, said = self._apt("update")
        if code != 0 or not any(self._folder.glob("lists/*Packages*")):
            raise self._failed(f"Debian's package list of {self.name} could not be fetched.", said)

    def closure(self, packages: Sequence[str], without: Iterable[str]) -> list[Package]:
        """Return the packages and all their dependencies, except `without`."""
        code, said = self._apt("install", "--print-uris", "-qq", "-y", *packages)
        found = [_package(line) for line in said if line.startswith("'")]
        if code != 0 or not found:
            raise self._failed(f"Debian {self.name} does not have all of {', '.join(packages)}.", said)
        left_out = set(without)
        return [package for package in found if package.name not in left_out]

    def fetch(self, task: str, packages: Collection[Package], into: Path) -> None:
        """Download the packages into a new folder. apt verifies them."""
        into.mkdir()
        total = sum(package.size for package in packages)
        names = sorted(package.name for package in packages)
        command = self._command("download", *names)
        with self._work.process(command, cwd=into, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            while process.poll() is None:
                self._work.progress.state(task, "fetching packages", _bytes_in(into), total)
                time.sleep(0.1)
            said = process.stdout.read().decode(errors="replace").splitlines() if process.stdout else []
        if process.returncode != 0:
            raise self._failed("Debian's packages could not be fetched.", said)

    def unpack(self, fetched: Path, into: Path, leave_out: Sequence[str]) -> None:
        """Unpack all packages into one tar file. Leaves out the files that match a regular expression of `leave_out`."""
        seen: set[str] = set()
        unwanted = re.compile("|".join((LEFT_OUT, *leave_out)))
        with tarfile.open(into, "w") as out:
            for file in sorted(fetched.glob("*.deb")):
                with self._work.process(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE) as unpacking:
                    _copy(cast(IO[bytes], unpacking.stdout), out, unwanted, seen)
                if unpacking.returncode != 0:
                    raise UserError(f"The package {file.name} cannot be unpacked: dpkg-deb ended with {unpacking.returncode}.", ELSEWHERE)

    def _apt(self, *words: str) -> tuple[int, list[str]]:
        return self._work.run(self._command(*words))

    def _command(self, *words: str) -> list[str]:
        folder = self._folder
        options = {
            "Dir::Etc::sourcelist": folder / "sources",
            "Dir::Etc::sourceparts": folder / "parts",
            "Dir::Etc::preferencesparts": folder / "parts",
            "Dir::State::status": folder / "no-packages",
            "Dir::State::lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Acquire::Check-Valid-Until": "false",  # a mirror's index may be expired
            "Acquire::Retries": "3",
            "Debug::NoLocking": "true",
        }
        return ["apt-get", *(f"-o{name}={value}" for name, value in options.items()), *words]

    def _failed(self, message: str, said: Sequence[str]) -> UserError:
        lines = [line for line in said if line.startswith(("E:", "W:", "Err:"))] or list(said)
        return UserError(
            message, f"once the network answers, labkit images build; or {ELSEWHERE}", details=[line[:200] for line in lines[-5:]]
        )


def mirror(work: Work) -> str:
    """Return the Debian mirror: LABKIT_DEBIAN_MIRROR, else this machine's own package source."""
    if named := os.environ.get(MIRROR_VARIABLE):
        return named
    _, lines = work.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(ORIGIN)", "Created-By: Packages"])
    for line in lines:
        uri, release, *origin = line.split()
        if origin == ["Debian"] and "-" not in release:
            return uri
    raise UserError(
        "This machine's package sources name no Debian archive (or its package lists were never fetched).",
        f"sudo apt-get update; elsewhere than on Debian, set {MIRROR_VARIABLE} to the address of a Debian mirror; or {ELSEWHERE}",
    )


def refuse_without_tools() -> None:
    """Raise UserError when the tools for fetching and unpacking packages are missing."""
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise UserError(
            f"Images are built from Debian's packages, and this machine has no {' and no '.join(missing)}: that needs Debian or Ubuntu.",
            ELSEWHERE,
        )


def upstream(version: str) -> str:
    """Return the upstream version: 8.0.2 for `5:8.0.2-3+deb13u3`."""
    return re.split(r"[-+~]", version.partition(":")[2] or version, maxsplit=1)[0]


def _package(line: str) -> Package:
    """Parse a line `'URI' name_version_architecture.deb size checksum`."""
    _, file, size, *_ = line.split()
    name, version, _ = file.split("_")
    return Package(name, urllib.parse.unquote(version), int(size))


def _bytes_in(folder: Path) -> int:
    count = 0
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # apt renames a file when it is complete
            count += file.stat().st_size
    return count


def _copy(source: IO[bytes], out: tarfile.TarFile, unwanted: re.Pattern[str], seen: set[str]) -> None:
    """Copy the members that images need. Copies a folder that several packages have only once."""
    with tarfile.open(fileobj=source, mode="r|") as members:
        for member in members:
            name = member.name.rstrip("/")
            if unwanted.match(name.removeprefix("./")) or (member.isdir() and name in seen):
                continue
            seen.add(name)
            out.addfile(member, members.extractfile(member) if member.isreg() else None)
