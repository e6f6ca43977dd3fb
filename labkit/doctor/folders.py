"""The folders' file systems: a Windows mount, a network file system or memory behaves differently from a disk."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from labkit import paths
from labkit.doctor.findings import BAD, NOTE, OK, UNKNOWN, Finding, unless
from labkit.doctor.subject import Subject
from labkit.stack.runtime import NATIVE

WINDOWS = frozenset({"9p", "drvfs", "v9fs"})
SHARED = frozenset({"fuse.grpcfuse", "fuse.osxfs", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "fuse.vmhgfs-fuse"})
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "webdav", "ceph", "glusterfs", "lustre", "fuse.sshfs", "fuse.s3fs"})
MEMORY = frozenset({"tmpfs", "ramfs"})


def examine(subject: Subject) -> Iterator[Finding]:
    home, source = paths.home(), (subject.stack.source if subject.stack else paths.content())
    yield _writable(home)
    yield _data(home, subject)
    yield _source(source)


def _writable(home: Path) -> Finding:
    place = existing(home)
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding("folders.home", BAD, f"You may not write in {place}, where labkit keeps its stacks.", "export LABKIT_HOME=~/labkit")
    return Finding("folders.home", OK, f"Stacks are kept in {home}.", facts={"home": str(home)})


def _data(home: Path, subject: Subject) -> Finding:
    kind = kind_of(home)
    facts = {"place": str(home), "file_system": kind}
    if kind is None:
        return Finding(
            "folders.data", UNKNOWN, f"The kind of the file system at {home} cannot be determined.", f"df -T {existing(home)}", facts
        )
    if kind in WINDOWS | NETWORK | SHARED:
        what = "a Windows folder" if kind in WINDOWS else "a network or shared file system"
        sentence = f"{home} is on {what} ({kind}), where a database cannot keep its files safely."
        verdict = unless(subject.taken == NATIVE)
        return Finding("folders.data", verdict, sentence, "export LABKIT_HOME=$HOME/.local/state/labkit", facts)
    if kind in MEMORY:
        sentence = f"{home} is in memory ({kind}): data there is lost at a restart, and uses memory."
        return Finding("folders.data", NOTE, sentence, "unset LABKIT_HOME", facts)
    return Finding("folders.data", OK, f"Its file system is {kind}.", facts=facts)


def _source(source: Path) -> Finding:
    kind = kind_of(source)
    facts = {"place": str(source), "file_system": kind}
    if kind is not None and kind in WINDOWS | NETWORK | SHARED:
        where = "a Windows folder" if kind in WINDOWS else "a network or shared file system"
        sentence = (
            f"The services run from {source} on {where} ({kind}): they start slowly, and editors and reloaders do not notice changes. "
            "labkit itself polls for changes, so its labs work there."
        )
        return Finding("folders.source", NOTE, sentence, f"cp -r {source} ~/ && cd ~/{source.name}", facts)
    return Finding("folders.source", OK, f"The services run from {source}.", facts=facts)


def kind_of(path: Path) -> str | None:
    """Return the type of a path's file system, as the system names it."""
    place = os.path.realpath(existing(path))
    if sys.platform == "linux":
        try:
            return kind_in(Path("/proc/self/mountinfo").read_text(), place)
        except OSError:
            return None
    import psutil

    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    within = [point for point in mounts if Path(place).is_relative_to(point)]
    return mounts[max(within, key=len)] if within else None


def kind_in(mounts: str, place: str) -> str | None:
    """Return the type of the file system at `place`. `mounts` is in the format of /proc/self/mountinfo; of several mounts over a place,
    the last one is visible."""
    best, found = -1, None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split(" ")[4].encode().decode("unicode_escape")  # a space in a mount point is written \040
        if Path(place).is_relative_to(point) and len(point) >= best:
            best, found = len(point), after.split(" ")[0]
    return found


def existing(path: Path) -> Path:
    """Return the path, or its nearest parent folder that exists and may be read."""
    while not os.path.exists(path):  # noqa: PTH110  (Path.exists raises where one may not look)
        path = path.parent
    return path
