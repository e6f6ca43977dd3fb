"""The text of each failure, word by word on a screen of 80 columns; the documentation shows exactly that.

`LABKIT_GOLDEN=write pytest tests/verdict/test_golden.py` rewrites the transcripts. Read them before you commit them.
"""

import functools
import os
from pathlib import Path

import pytest

from labkit.pass_fail_unknown import Verdict
from labkit.verdict.judge import Judgement, judge
from labkit.verdict.text import as_text
from tests.verdict.stories import STORIES

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "verdict"
DOCUMENTATION = ROOT / "docs" / "verdicts.md"


@functools.cache
def judged(name: str) -> Judgement:
    return judge(STORIES[name]().con)


@pytest.mark.parametrize("name", STORIES)
def test_the_transcript_is_the_golden_one(name: str) -> None:
    judgement = judged(name)
    text = as_text(judgement, 80) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("LABKIT_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()
    assert judgement.verdict is (Verdict.UNKNOWN if name == "killed" else Verdict.FAIL)


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", STORIES)
def test_it_fits_the_screen_and_breaks_no_word(name: str, columns: int) -> None:
    shown = as_text(judged(name), columns)
    assert [line for line in shown.splitlines() if len(line) > columns] == []
    assert shown.split() == (GOLDEN / f"{name}.txt").read_text().split()


@pytest.mark.parametrize("name", STORIES)
def test_the_documentation_shows_it(name: str) -> None:
    transcript = (GOLDEN / f"{name}.txt").read_text()
    marks = ("✗", "?")
    shown = transcript[transcript.index(next(f"\n{line}" for line in transcript.splitlines() if line.startswith(marks))) + 1 :]
    first = shown.split("\n\n✗ ")[0].split("\n\n? ")[0].split("\n\nFail: ")[0].split("\n\nNote: ")[0].split("\n\nUnknown: ")[0].strip()
    assert first in DOCUMENTATION.read_text(), first
