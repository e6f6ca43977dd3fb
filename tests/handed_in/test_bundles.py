"""An image bundle from elsewhere: its manifest and archive are checked before the engine receives any byte."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import UserError
from labkit.images import bundle, progress_display


def archive(*members: tuple[str, bytes, bytes]) -> bytes:
    """A tar of (name, type, content or target)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                member.linkname = content.decode()
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


WHOLE = (
    ("manifest.json", tarfile.REGTYPE, b"[]"),
    ("blobs/sha256/a", tarfile.REGTYPE, b"x"),
    ("a/layer.tar", tarfile.SYMTYPE, b"../b/layer.tar"),
)
IMAGE = {"kind": "redis", "reference": "labkit/redis:local", "version": "Redis 7", "bytes": 5, "layers": ["sha256:" + "a" * 64]}


def packed(path: Path, plain: bytes, *, compressed: bytes | None = None, **changes: Any) -> Path:
    """A bundle of these files with a correct manifest, except for the changes."""
    import zstandard

    data = zstandard.compress(plain) if compressed is None else compressed
    manifest = {
        "format": bundle.FORMAT,
        "labkit": "1",
        "architecture": "amd64",
        "bytes": len(data),
        "raw_bytes": len(plain),
        "images": [IMAGE],
    }
    manifest["sha256"] = hashlib.sha256(data).hexdigest()
    manifest = {name: value for name, value in {**manifest, **changes}.items() if value is not ...}
    path.write_bytes(bundle._header(manifest) + data)
    return path


def checked(path: Path) -> None:
    bundle.check(path, bundle.read(path, "amd64"), progress_display.make(quiet=True))


def test_a_bundle_that_is_right(tmp_path: Path) -> None:
    checked(packed(tmp_path / "b", archive(*WHOLE)))


FIELDS = ("format", "labkit", "architecture", "bytes", "raw_bytes", "sha256", "images")
VALUES: tuple[object, ...] = (None, 7.5, -1, [], {}, "x", True, [[]], "\x1b[2J")
VALUES_OF_AN_IMAGE: tuple[object, ...] = (7.5, [], {}, "", "-v/:/x", "a b", True, ["x"])
MANIFESTS: list[dict[str, Any]] = [{name: ...} for name in FIELDS]
MANIFESTS += [{name: value} for name in FIELDS for value in VALUES]
MANIFESTS += [{"images": [{**IMAGE, name: value}]} for name in IMAGE for value in VALUES_OF_AN_IMAGE]
MANIFESTS += [{"images": [{n: v for n, v in IMAGE.items() if n != name}]} for name in ("kind", "reference", "version", "layers")]
MANIFESTS += [{"images": [IMAGE, IMAGE]}, {"images": [IMAGE] * 100}, {"bytes": 2**70}, {"raw_bytes": 2**70}, {"raw_bytes": 5}]
FINE: list[dict[str, Any]] = [{"labkit": "x"}, {"labkit": "\x1b[2J"}]
FINE += [{"images": [{**IMAGE, "version": version}]} for version in ("", "-v/:/x", "a b")]


def test_a_manifest_is_checked_before_anything_else(tmp_path: Path) -> None:
    for changes in MANIFESTS:
        path = packed(tmp_path / "b", archive(*WHOLE), **changes)
        if changes in FINE:
            checked(path)
        else:
            with pytest.raises(UserError):
                checked(path)


def no_archive(path: Path) -> Path:
    return packed(path, b"no archive" * 1000)


ARCHIVES: dict[str, Callable[[Path], Path]] = {
    "no archive": no_archive,
    "empty": lambda path: packed(path, b"x", compressed=b"x"),
    "not compressed": lambda path: packed(path, archive(*WHOLE), compressed=archive(*WHOLE)),
    "cut": lambda path: packed(path, archive(*WHOLE)[:700]),
    "more than it says": lambda path: packed(path, archive(*WHOLE) + bytes(10_000_000), raw_bytes=20_000),
    "no manifest": lambda path: packed(path, archive(("x", tarfile.REGTYPE, b""))),
    "leads out": lambda path: packed(path, archive(*WHOLE, ("../x", tarfile.REGTYPE, b""))),
    "leads out later": lambda path: packed(path, archive(*WHOLE, ("a/../../x", tarfile.REGTYPE, b""))),
    "absolute": lambda path: packed(path, archive(*WHOLE, ("/etc/passwd", tarfile.REGTYPE, b""))),
    "a link that leads out": lambda path: packed(path, archive(*WHOLE, ("a", tarfile.SYMTYPE, b"../../etc"))),
    "an absolute link": lambda path: packed(path, archive(*WHOLE, ("a", tarfile.LNKTYPE, b"/etc/passwd"))),
    "a device": lambda path: packed(path, archive(*WHOLE, ("a", tarfile.CHRTYPE, b""))),
    "a huge header": lambda path: packed(path, archive(("a", tarfile.GNUTYPE_LONGNAME, b"a" * 3_000_000), *WHOLE)),
    "many": lambda path: packed(path, archive(*WHOLE, *((f"f{n}", tarfile.REGTYPE, b"") for n in range(10_050)))),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_is_none_is_refused(case: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds"):
        checked(ARCHIVES[case](tmp_path / "b"))
