"""A mutant, and how it is known again."""

import difflib
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Rewrite:
    """What a rule changes in a text: the characters from `start` to `end` become `new`."""

    rule: str
    start: int
    end: int
    new: str


@dataclass(frozen=True)
class GeneratedMutant:
    """A file of the solution with one mistake. `before` and `after` are the function or statement around the mistake: the id depends on
    them alone, so it stays the same when other parts of the file change."""

    path: str
    rule: str
    line: int
    before: str
    after: str
    content: str
    """The whole file with the mistake."""

    @property
    def id(self) -> str:
        """12 hexadecimal digits."""
        found = hashlib.sha256()
        for part in (self.path, self.before, self.after):
            found.update(f"{len(part)}\0{part}".encode())
        return found.hexdigest()[:12]

    def diff(self, original: str) -> list[str]:
        """Return the mistake as the lines of a unified diff."""
        lines = difflib.unified_diff(original.splitlines(), self.content.splitlines(), f"a/{self.path}", f"b/{self.path}", lineterm="", n=2)
        return list(lines)


def line_of(text: str, at: int) -> int:
    """Return the number of the line that holds this character, counted from 1."""
    return text.count("\n", 0, at) + 1


def changed_line(before: str, after: str) -> int:
    """Return the first line that differs, counted from 1."""
    old, new = before.splitlines(), after.splitlines()
    return next((n for n, (one, other) in enumerate(zip(old, new, strict=False), 1) if one != other), min(len(old), len(new)) + 1)
