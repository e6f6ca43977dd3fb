"""A lab's guide.md as sections: the text before the first `## ` heading, then one section per heading, with the ids of its checks."""

import re
from dataclasses import dataclass

from labkit.catalog.labs import Lab
from labkit.errors import ExitCode, UserError

_ID = re.compile(r"\b\d+\.\d+\b")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")


@dataclass(frozen=True)
class Section:
    """A section. `text` is Markdown with its heading; `ids` are the checks that the heading names."""

    title: str
    ids: tuple[str, ...]
    text: str


def sections(lab: Lab) -> list[Section]:
    """Return the sections of a lab's guide. Raises UserError if the lab has no guide."""
    try:
        return split(lab.guide.read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"Lab {lab.number} has no guide.", f"labkit lab {lab.number} check") from None


def split(text: str) -> list[Section]:
    parts: list[list[str]] = [[]]
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        if line.startswith("## ") and not fence:
            parts.append([])
        parts[-1].append(line)
    return [_section(lines) for lines in parts if any(line.strip() for line in lines)]


def _section(lines: list[str]) -> Section:
    heading = next((line for line in lines if line.startswith("#")), "")
    title = heading.lstrip("# ").strip()
    ids = tuple(_ID.findall(title)) if heading.startswith("## ") else ()
    return Section(title, ids, "\n".join(lines).strip() + "\n")


def section_of(lab: Lab, step: str) -> Section:
    """Return the section about a step. Raises UserError if the guide has none."""
    found = sections(lab)
    for section in found:
        if step in section.ids:
            return section
    known = ", ".join(id_ for section in found for id_ in section.ids)
    message = f"The guide of lab {lab.number} has no step {step}; it has {known}."
    raise UserError(message, f"labkit lab {lab.number} read", exit_code=ExitCode.USAGE)
