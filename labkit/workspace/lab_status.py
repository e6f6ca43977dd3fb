"""How far a learner is in a lab, as shown by `labs`, the guide, the hints and the report."""

import re
from dataclasses import dataclass

from labkit.catalog.labs import Lab, Step, all_labs
from labkit.workspace.progress import AFTER_SOLUTION, PASSED, SKIPPED, CheckRecord, LabRecord, Progress

_CHECK = re.compile(r"""^@check\(\s*["'](\d+\.\d+)["']""", re.MULTILINE)

GIVEN, OPEN = "given", "open"
NOT_STARTED, STARTED, DONE = "not started", "started", "done"


@dataclass(frozen=True)
class LabStatus:
    """The status of one lab. `checks` maps each check of the lab to PASSED, AFTER_SOLUTION, SKIPPED, GIVEN or OPEN."""

    lab: Lab
    record: LabRecord
    checks: dict[str, str]

    @property
    def state(self) -> str:
        """NOT_STARTED, STARTED, SKIPPED, DONE or AFTER_SOLUTION."""
        counted = [state for state in self.checks.values() if state != GIVEN]
        if counted and all(state in (PASSED, AFTER_SOLUTION) for state in counted) and not self.failing:
            return AFTER_SOLUTION if AFTER_SOLUTION in counted else DONE
        if self.record.skipped and all(state in (PASSED, AFTER_SOLUTION, SKIPPED) for state in counted):
            return SKIPPED
        return STARTED if self.record.started or any(record.tries for record in self.record.checks.values()) else NOT_STARTED

    @property
    def counted(self) -> tuple[int, int]:
        """The number of passed checks and the number of all checks, not counting the given ones."""
        counted = [state for state in self.checks.values() if state != GIVEN]
        return sum(state in (PASSED, AFTER_SOLUTION) for state in counted), len(counted)

    @property
    def failing(self) -> list[str]:
        """The checks that passed once but failed in their last run: a later change broke them."""
        passed = [check for check, state in self.checks.items() if state in (PASSED, AFTER_SOLUTION)]
        return [check for check in passed if self.record.checks.get(check, CheckRecord()).last == "fail"]

    @property
    def open_step(self) -> Step | None:
        """The first step whose check has not passed."""
        return next((step for step in self.lab.steps if self.checks.get(step.id, OPEN) == OPEN), None)

    @property
    def next_step(self) -> Step | None:
        """The first step that is open, or that is given and whose check has never been run."""
        return next((step for step in self.lab.steps if self._is_ahead(step.id)), None)

    def _is_ahead(self, check: str) -> bool:
        state = self.checks.get(check, OPEN)
        return state == OPEN or (state == GIVEN and check not in self.record.checks)


def of_all(progress: Progress) -> list[LabStatus]:
    """Return the status of every lab, in the order of the labs."""
    return [of_lab(lab, progress) for lab in all_labs()]


def of_lab(lab: Lab, progress: Progress) -> LabStatus:
    record = progress.labs.get(str(lab.number), LabRecord())
    states = {check: _state(check, lab, record.checks.get(check, CheckRecord())) for check in check_ids(lab)}
    return LabStatus(lab, record, states)


def check_ids(lab: Lab) -> list[str]:
    """Return the ids of a lab's checks in numerical order. Parses checks.py instead of importing it, so that listing the labs does not load
    what checks need."""
    try:
        text = (lab.folder / "checks.py").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = {*_CHECK.findall(text), *lab.given, *(step.id for step in lab.steps)}
    return sorted(found, key=lambda check: [int(part) for part in check.split(".")])


def _state(check: str, lab: Lab, record: CheckRecord) -> str:
    return GIVEN if check in lab.given else record.state or OPEN
