"""The lab part of `make bench`: how long a learner waits for a check, and an instructor for a reset."""

import re
import statistics
from pathlib import Path

from bench.rows import Row, at_most, say
from bench.stack import Labkit, own_labkit
from labkit.catalog.labs import all_labs

GOALS_S = {1: 5.0, 2: 8.0}  # for all checks of a solved lab
GOAL_S = 10.0  # for a lab without an entry
SEATS = 3


def rows() -> list[Row]:
    say("labs: checks, jump, resets")
    with own_labkit(LABKIT_RUNTIME="native") as labkit:
        labkit("init", str(Path(labkit.home) / "workshop"))
        learner = labkit.inside(Path(labkit.home) / "workshop")
        learner("up")
        labs = [lab.number for lab in all_labs()]
        checking = [_check(learner, lab, GOALS_S.get(lab, GOAL_S)) for lab in labs]
        last = labs[-1]
        jumps = [learner.timed("jump", str(last), "--yes") for _ in range(3)]
        resets = [learner.timed("reset", "--data", "--yes") for _ in range(3)]
        return [
            *checking,
            at_most(f"labkit jump {last}", statistics.median(jumps), "s", 5, 2),
            at_most("labkit reset --data, in a workspace", statistics.median(resets), "s", 2, 2),
            at_most(f"{SEATS} stacks reset side by side", _side_by_side(labkit), "s", 5, 2),
        ]


def _check(learner: Labkit, lab: int, goal: float) -> Row:
    learner("lab", str(lab), "start")
    learner("lab", str(lab), "solution", "--apply", "--yes")
    learner("lab", str(lab), "check")
    took = [learner.timed("lab", str(lab), "check") for _ in range(3)]
    return at_most(f"labkit lab {lab} check, solved", statistics.median(took), "s", goal, 2)


def _side_by_side(labkit: Labkit) -> float:
    """The time that the command reports: the resets only, without the following verdicts."""
    names = [f"seat-{number}" for number in range(1, SEATS + 1)]
    try:
        for name in names:
            labkit("up", "--name", name)
        said = labkit("reset", "--stack", "seat-*", "--yes")
    finally:
        for name in names:
            labkit("down", "--data", "--name", name)
    found = re.search(r"stacks reset in ([\d.]+) s", said)
    assert found, said
    return float(found[1])
