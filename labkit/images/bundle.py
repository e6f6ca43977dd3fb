"""All images of a stack in one file, for classrooms without a network.

The file is a zstd-compressed `docker save` archive behind a header that zstd skips, so that `zstd -dc FILE | docker load` works by hand.
The header has the manifest: versions, architecture, layers, and the length and SHA-256 of what follows. All of it is verified before the
engine receives the first byte.
"""

import hashlib
import json
import os
import struct
import subprocess
import tarfile
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any, Literal, Self, cast

import msgspec

from labkit import __version__, user_files
from labkit.docker_engine import Engine
from labkit.errors import UserError
from labkit.images import catalog
from labkit.images.catalog import Image
from labkit.images.parallel_work import ImageProgress, Work, timed

MAGIC = 0x184D2A5B  # one of the sixteen magic numbers of skippable frames (RFC 8878, section 3.1.2)
HEADER_BYTES = 64 * 1024
FORMAT = "labkit-images/1"
LEVEL = 6
CHUNK = 1 << 20
MEMBERS = 10_000  # limit for the number of files in the archive
_PREFIX = struct.Struct("<II")

Size = Annotated[int, msgspec.Meta(ge=1, le=1 << 40)]
Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]


def export(engine: Engine, images: Collection[Image], into: Path, progress: ImageProgress) -> dict[str, Any]:
    """Write the file. Returns its manifest. Raises UserError.

    The file is written under a temporary name and renamed when it is complete; an earlier file stays until then.
    """
    import zstandard

    lacking = [image.reference for image in images if not image.present]
    if lacking:
        raise UserError(
            f"There is nothing to export yet: the engine has no {', '.join(lacking)}.", "labkit images build, or labkit images pull"
        )
    if not into.parent.is_dir():
        raise UserError(f"There is no folder {into.parent}.", f"mkdir -p {into.parent}")
    aside = into.with_name(f".{into.name}.{os.getpid()}")
    total = sum(image.size or 0 for image in images)
    try:
        with aside.open("wb") as file, Work(progress) as work, timed(progress, "export", f"{len(images)} images"):
            file.write(b"\0" * HEADER_BYTES)
            out = _Hashing(file)
            command = ["docker", "save", *dict.fromkeys(image.reference for image in images)]
            with (
                work.process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(engine)) as saving,
                zstandard.ZstdCompressor(level=LEVEL, threads=-1).stream_writer(cast(IO[bytes], out), closefd=False) as compressed,
            ):
                raw = _pump(
                    cast(IO[bytes], saving.stdout), compressed.write, lambda done: progress.state("export", "images", done, total), progress
                )
                said = saving.stderr.read().decode(errors="replace").strip() if saving.stderr else ""
            if saving.returncode != 0:
                raise UserError(f"The engine could not export its images: {said or saving.returncode}", "labkit images list")
            manifest = _manifest(engine, images, out, raw)
            file.seek(0)
            file.write(_header(manifest))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(into)
    except OSError as error:
        raise UserError(f"{into} cannot be written: {error.strerror or error}.", "choose another place") from None
    finally:
        aside.unlink(missing_ok=True)
    return manifest


class _Image(msgspec.Struct):
    kind: Literal["mysql", "kafka", "redis", "services"]
    reference: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,250}\Z")]
    version: Annotated[str, msgspec.Meta(max_length=200)]
    layers: Annotated[list[Digest], msgspec.Meta(min_length=1, max_length=1000)]
    bytes: Size | None = None


class _Manifest(msgspec.Struct):
    labkit: Annotated[str, msgspec.Meta(max_length=200)]
    architecture: Annotated[str, msgspec.Meta(max_length=40)]
    bytes: Size
    raw_bytes: Size
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    images: Annotated[list[_Image], msgspec.Meta(min_length=1, max_length=10)]


def read(file: Path, architecture: str | None = None) -> dict[str, Any]:
    """Return the manifest from the file's header. Raises UserError when the file is damaged, truncated or for another architecture."""
    try:
        if file.exists() and not file.is_file() and not file.is_dir():
            raise OSError(0, "it is not a file")  # opening a pipe would block forever
        with file.open("rb") as opened:
            prefix, rest = opened.read(_PREFIX.size), opened.read(HEADER_BYTES - _PREFIX.size)
        size = file.stat().st_size
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.", "labkit images import FILE") from None
    if len(prefix) < _PREFIX.size or _PREFIX.unpack(prefix) != (MAGIC, HEADER_BYTES - _PREFIX.size):
        raise UserError(f"{file} is not a bundle of labkit's images.", "labkit images export FILE, on a machine that has them, makes one")
    try:
        found = user_files.from_json(user_files.decoded(rest))
        manifest: dict[str, Any] = found if isinstance(found, dict) else {}
        if manifest.pop("manifest_sha256", None) != _digest(manifest):
            raise user_files.Wrong("its checksum differs")
    except user_files.Wrong as error:
        raise UserError(f"{file} is damaged: its manifest cannot be read ({error}).", _AGAIN) from None
    if manifest.get("format") != FORMAT:
        by = str(manifest.get("labkit", "unknown"))[:40]
        raise UserError(f"{file} was written by another labkit ({by}), in a format that this one does not know.", "update labkit")
    try:
        checked = user_files.as_type(manifest, _Manifest)
        if len({image.kind for image in checked.images}) < len(checked.images):
            raise user_files.Wrong("images: two of one kind")
    except user_files.Wrong as error:
        raise UserError(f"{file} is not a bundle that labkit wrote: in its manifest, {error}.", _AGAIN) from None
    if architecture not in (None, manifest["architecture"]):
        raise UserError(
            f"{file} holds images for {manifest['architecture']}, and this engine is {architecture}.",
            f"labkit images export FILE, on a machine with {architecture}",
        )
    expected = HEADER_BYTES + manifest["bytes"]
    if size != expected:
        what = "is truncated" if size < expected else "has extra bytes at its end"
        raise UserError(f"{file} {what}: {size} bytes instead of {expected}.", _AGAIN)
    return manifest


def check(file: Path, manifest: dict[str, Any], progress: ImageProgress) -> None:
    """Verify the file's content: its checksum, its size, and that it is a `docker save` archive. Raises UserError."""
    import zstandard

    sink = _Hashing(None)
    with file.open("rb") as opened, timed(progress, "check", "the file's checksum"):
        opened.seek(HEADER_BYTES)
        _pump(opened, sink.write, lambda done: progress.state("check", "checksum", done, manifest["bytes"]), progress)
    if sink.hexdigest() != manifest["sha256"]:
        raise UserError(f"{file} is damaged: its checksum is not the one in its manifest.", _AGAIN)
    with file.open("rb") as opened, timed(progress, "check", "what is in it"):
        opened.seek(HEADER_BYTES)
        with zstandard.ZstdDecompressor().stream_reader(opened) as plain:
            bounded = _Bounded(plain, manifest["raw_bytes"], lambda done: progress.state("check", "contents", done, manifest["raw_bytes"]))
            try:
                _refuse_strange_members(bounded)
                while bounded.read(CHUNK):
                    progress.tick()
            except (tarfile.TarError, zstandard.ZstdError, ValueError, EOFError, OverflowError, RecursionError) as error:
                raise UserError(f"{file} holds no archive of images: {error}.", _AGAIN) from None
    if bounded.count != manifest["raw_bytes"]:
        raise UserError(f"{file} holds {bounded.count} bytes of images, but its manifest says {manifest['raw_bytes']}.", _AGAIN)


class _Member(tarfile.TarInfo):
    """Extended tar headers are read into memory completely, so this class checks their size first."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.type not in (*tarfile.REGULAR_TYPES, *tarfile.SUPPORTED_TYPES[2:7]) and member.size > CHUNK:
            raise ValueError(f"a header of {member.size} bytes")
        return member


def _refuse_strange_members(source: "_Bounded") -> None:
    """Raises ValueError for entries that an image archive never has, because the engine unpacks it with its own privileges."""
    described = False
    with tarfile.open(fileobj=cast(IO[bytes], source), mode="r|", tarinfo=_Member) as members:
        for count, member in enumerate(members):
            leads = member.name if not member.islnk() and not member.issym() else str(PurePosixPath(member.name).parent / member.linkname)
            for path in (member.name, leads):
                if path.startswith("/") or os.path.normpath(path).split("/")[0] == "..":
                    raise ValueError(f"{path[:100]!r} points outside it")
            if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                raise ValueError(f"{member.name[:100]!r} is neither a file nor a folder")
            if count > MEMBERS:
                raise ValueError(f"it has more than {MEMBERS} files")
            described = described or member.name in ("manifest.json", "index.json")
    if not described:
        raise ValueError("it has no manifest.json")


def load(engine: Engine, file: Path, progress: ImageProgress) -> dict[str, Any]:
    """Verify the file completely, then load its images into the engine. Returns the manifest. Raises UserError before any change."""
    import zstandard

    manifest = read(file, engine.architecture)
    check(file, manifest, progress)
    with Work(progress) as work, file.open("rb") as opened, timed(progress, "import", f"{len(manifest['images'])} images"):
        opened.seek(HEADER_BYTES)
        with work.process(
            ["docker", "load", "--quiet"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(engine),
        ) as loading:
            stdin = cast(IO[bytes], loading.stdin)
            try:
                with zstandard.ZstdDecompressor().stream_reader(opened) as plain:
                    _pump(plain, stdin.write, lambda done: progress.state("import", "images", done, manifest["raw_bytes"]), progress)
                stdin.close()
            except BrokenPipeError:
                pass
            said = loading.stderr.read().decode(errors="replace").strip() if loading.stderr else ""
        if loading.returncode != 0:
            raise UserError(f"The engine did not accept the images: {said or loading.returncode}", "docker system df, then labkit doctor")
    _check_arrived(engine, manifest)
    return manifest


_AGAIN = "copy the file again, or labkit images export FILE on the machine that it is from"


def _check_arrived(engine: Engine, manifest: dict[str, Any]) -> None:
    there = catalog.on_engine(engine, {image["kind"]: image["reference"] for image in manifest["images"]})
    for image in manifest["images"]:
        if list(there[image["kind"]].layers) != image["layers"]:
            raise UserError(
                f"After the import the engine's {image['reference']} is not the one from the file.", "labkit images import FILE"
            )


def _manifest(engine: Engine, images: Collection[Image], out: "_Hashing", raw: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "labkit": __version__,
        "architecture": engine.architecture,
        "bytes": out.count,
        "sha256": out.hexdigest(),
        "raw_bytes": raw,
        "images": [
            {"kind": i.kind, "reference": i.reference, "version": i.description, "bytes": i.size, "layers": list(i.layers)} for i in images
        ],
    }


def _header(manifest: dict[str, Any]) -> bytes:
    text = json.dumps({**manifest, "manifest_sha256": _digest(manifest)}).encode()
    room = HEADER_BYTES - _PREFIX.size
    assert len(text) <= room, "the manifest is too large for its place"
    return _PREFIX.pack(MAGIC, room) + text.ljust(room)


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


class _Bounded:
    """Reads at most `most` bytes. Raises ValueError when there are more."""

    def __init__(self, source: Any, most: int, tell: Callable[[int], None]) -> None:
        self._source, self._most, self._tell = source, most, tell
        self.count = 0

    def read(self, size: int) -> bytes:
        data: bytes = self._source.read(size)
        self.count += len(data)
        if self.count > self._most:
            raise ValueError(f"it holds more than the {self._most} bytes that its manifest says")
        self._tell(self.count)
        return data


class _Hashing:
    """Counts and hashes the bytes that it writes to `file`."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._file, self._hash = file, hashlib.sha256()
        self.count = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.count += len(data)
        return self._file.write(data) if self._file else len(data)

    def flush(self) -> None:
        if self._file:
            self._file.flush()

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _pump(source: Any, write: Callable[[bytes], object], tell: Callable[[int], None], progress: ImageProgress) -> int:
    """Copy until the end of the source. Returns the number of bytes."""
    done = 0
    while chunk := source.read(CHUNK):
        write(chunk)
        done += len(chunk)
        tell(done)
        progress.tick()
    return done


def _environment(engine: Engine) -> dict[str, str]:
    return {**os.environ, "DOCKER_HOST": engine.host}
