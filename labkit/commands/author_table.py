"""labkit author table: the mutation scores of the labs and of the services, as a page of the documentation."""

import datetime
from collections.abc import Iterator
from pathlib import Path

from labkit import paths
from labkit.catalog.labs import all_labs
from labkit.errors import ExitCode
from labkit.mutation import results, score
from labkit.mutation.subject import Subject, of_lab, of_services
from labkit.terminal import say

_HEAD = """# Mutation scores

Mutants are the solution with one mistake each, made by rule. This page shows how many of them the checks catch. An *equivalent* mutant
means the same as right code. `labkit author mutate` judges them, and `labkit author table` writes this page:
see [writing a lab](writing-a-lab.md).
"""


def write_table(file: Path, folder: Path | None) -> ExitCode:
    """Write the page from the results that are kept."""
    lines = [_HEAD, f"Written on {datetime.date.today()}."]
    for subject in (*map(of_lab, all_labs()), of_services()):
        lines += ["", f"## {subject.title}", "", *_section(subject, folder)]
    paths.write(file, "\n".join(lines).rstrip() + "\n")
    say.line(f"{file} is written.")
    return ExitCode.OK


def _section(subject: Subject, folder: Path | None) -> Iterator[str]:
    by = "`labkit exam` or the check of a lab" if subject.exam else "the lab's own check"
    yield from (f"At least {score.wanted(subject):.0%} must be caught by {by}.", "")
    yield from score.table(subject, results.read(results.path_of(subject.name, folder)))
