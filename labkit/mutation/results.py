"""What became of mutants: one line of JSON for each, in a file that a later run goes on with."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from os import SEEK_END
from pathlib import Path

import msgspec

from labkit import paths

CAUGHT, SURVIVED, UNKNOWN = "caught", "survived", "unknown"
EXAM = "exam"
AT_START = "start"  # stands for a check: a service did not start


class MutantResult(msgspec.Struct, frozen=True):
    """`lab` and `check` say who caught the mutant, `sentence` with which words. `seconds` is how long it took."""

    id: str
    path: str
    line: int
    rule: str
    outcome: str
    lab: int = 0
    check: str = ""
    sentence: str = ""
    seconds: float = 0.0


def path_of(subject: str, folder: Path | None) -> Path:
    """Return the file with the results of a subject. `folder` is the author's choice of a place."""
    return (folder or paths.home() / "mutation") / f"{subject}.jsonl"


def read(path: Path) -> dict[str, MutantResult]:
    """Return the last result of each mutant, by its id. A line that was cut off is skipped."""
    found: dict[str, MutantResult] = {}
    with suppress(FileNotFoundError):
        for line in path.read_bytes().splitlines():
            with suppress(msgspec.DecodeError):
                result = msgspec.json.decode(line, type=MutantResult)
                found[result.id] = result
    return found


def append(path: Path, results: Iterable[MutantResult]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        is_cut_off = bool(file.tell()) and file.seek(-1, SEEK_END) >= 0 and file.read() != b"\n"
        file.write(b"\n" * is_cut_off + b"".join(_lines(results)))


def _lines(results: Iterable[MutantResult]) -> Iterator[bytes]:
    for result in results:
        yield msgspec.json.encode(result) + b"\n"
