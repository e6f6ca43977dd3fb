"""The learner's next step, as a command. Every screen that ends well ends with it."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit.catalog.labs import Step
from labkit.stack import stack_names
from labkit.workspace import manifest
from labkit.workspace.lab_status import NOT_STARTED, STARTED, LabStatus
from labkit.workspace.learner_folder import Workspace


def first(stack_name: str = "default") -> str:
    """Return the first command for a user without a workspace, including how to reach labkit if the shell does not find it."""
    return f"{_reach()}labkit init workshop{stack_names.named(stack_name)}"


def _reach() -> str:
    import shlex
    import shutil

    own = Path(sys.prefix, "bin")
    found = shutil.which("labkit")
    shell = Path(os.environ.get("SHELL", "")).name
    script = own / {"fish": "activate.fish", "csh": "activate.csh", "tcsh": "activate.csh"}.get(shell, "activate")
    if (found and Path(found).parent.resolve() == own.resolve()) or not script.is_file():
        return ""
    here = Path.cwd()
    return f"source {shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))}, then "


def of_labs(found: Sequence[LabStatus], space: Workspace | None) -> str:
    """Return the next step of the workspace's current lab if that lab is open, or else of the first open lab."""
    if space is None:
        return first()
    open_ones = [now for now in found if now.state in (NOT_STARTED, STARTED)]
    if not open_ones:
        return "labkit report; every lab is done"
    at = manifest.read(space).lab
    current = next((now for now in open_ones if now.lab.number == at and now.state == STARTED), open_ones[0])
    return of_lab(current) if current.state == NOT_STARTED else f"labkit lab {current.lab.number}"


def of_lab(now: LabStatus, *, has_read: bool = False) -> str:
    """Return the next step in a lab. `has_read`: the guide's section of that step was just shown."""
    number = now.lab.number
    if now.record.started is None and now.lab.starter.is_dir():
        return f"labkit lab {number} start"
    step = now.next_step
    if step is not None:
        return of_step(now, step, has_read=has_read)
    return f"labkit lab {number} check {now.failing[0]}" if now.failing else f"labkit lab {number} check"


def of_step(now: LabStatus, step: Step, *, has_read: bool = False) -> str:
    """Return the next command of a step: predict, inject, read, then check."""
    lab = f"labkit lab {now.lab.number}"
    if step.predict is not None and step.id not in now.record.predictions:
        return f"{lab} predict {step.id}"
    if step.inject is not None and step.id not in now.record.injected:
        return f"{lab} inject {step.id}"
    return f"{lab} check {step.id}" if has_read else f"{lab} read {step.id}"
