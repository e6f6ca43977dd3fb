"""Suggestions for a line that is not a labkit command."""

import difflib
import re
from collections.abc import Sequence

from labkit.cli.groups import COMMANDS

VERBS = ("read", "start", "predict", "inject", "check", "hint", "solution", "restore", "reset", "tour")
OTHER_WORDS = {"help": "--help", "start": "up", "run": "up", "stop": "down", "ps": "status", "next": "labs"}
_STEP = re.compile(r"([0-9]{1,6})\.[0-9]{1,6}")


def meant(arguments: Sequence[str]) -> str | None:
    """Return the complete command that was probably meant, or None. `labkit check`, `labkit lab check 1.3` and `labkit trace 1` lack a
    word; others are misspelt."""
    words = [word for word in arguments if not word.startswith("-")]
    if not words:
        return None
    first, rest = words[0], words[1:]
    if first == "lab" and rest and not rest[0].isdecimal():
        return _of_lab(rest)
    if first == "lab" and len(rest) > 1 and rest[1] not in VERBS:
        return _of_lab([closest, *rest[2:]], rest[0]) if (closest := _closest(rest[1], VERBS)) else None
    if first == "trace" and len(rest) == 1:
        return f"labkit trace order {rest[0]}" if rest[0].isdecimal() else f"labkit trace {rest[0]} 1"
    if first in COMMANDS:
        return None
    if first in VERBS and (first not in OTHER_WORDS or _lab_of(rest)):
        return _of_lab(words)
    if first in OTHER_WORDS:
        return f"labkit {OTHER_WORDS[first]}"
    closest = _closest(first, list(COMMANDS))
    return f"labkit {' '.join([closest, *rest])}" if closest else None


def _of_lab(words: Sequence[str], number: str | None = None) -> str | None:
    """Suggest for `check 1.3` or `2.3 check`. The lab's number comes from the step, or else from the workspace's current lab, or else is
    1."""
    verbs = [word for word in words if word in VERBS]
    others = [word for word in words if word not in VERBS]
    if not verbs and not (verbs := [closest for word in words if (closest := _closest(word, VERBS))]):
        return f"labkit lab {step[1]} read {others[0]}" if others and (step := _STEP.fullmatch(others[0])) else None
    number = number or _lab_of(others) or _lab_of_workspace()
    return " ".join(["labkit", "lab", number, verbs[0], *(word for word in others if _STEP.fullmatch(word))])


def _lab_of(words: Sequence[str]) -> str | None:
    return next((found[1] for word in words if (found := _STEP.fullmatch(word))), None)


def _lab_of_workspace() -> str:
    from labkit.errors import UserError
    from labkit.workspace import learner_folder, manifest

    try:
        space = learner_folder.find()
    except UserError:
        space = None
    return str((manifest.read(space).lab if space else None) or 1)


def _closest(word: str, known: Sequence[str]) -> str | None:
    found = difflib.get_close_matches(word, known, 1, 0.7)
    return found[0] if found else None
