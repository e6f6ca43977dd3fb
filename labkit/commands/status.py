"""labkit status: what runs, where, and how much memory it uses. Changes nothing and never waits long."""

import json
from typing import Any

from labkit.errors import ExitCode
from labkit.faults import notes
from labkit.faults.ledger import Ledger
from labkit.stack import accounts, lifecycle, state
from labkit.stack.model import Stack
from labkit.stack.runtime import WHAT_RUNS
from labkit.stack.status import NOT_READY, facts
from labkit.terminal import say, screen

WITH_PIDS = 72  # the columns from which on process ids fit


def status(stack_name: str, *, as_json: bool) -> ExitCode:
    """Exit code 1 if a component is not ready, 2 if labkit cannot tell."""
    stack = state.load(stack_name)
    found = {**facts(stack), "faults": [{"id": fault.id, "said": fault.said} for fault in Ledger(stack.directory).open()]}
    if as_json:
        say.raw(json.dumps(found, indent=2))
    else:
        _table(found, stack)
    return ExitCode.UNKNOWN if "reason" in found else ExitCode.OK if found["ready"] else ExitCode.FAIL


def _sum(found: dict[str, Any], stack: Stack) -> str:
    """Return how much runs and its memory, as the start of the summary line; empty if it is not known what runs."""
    if "reason" in found:
        return ""
    running = [component for component in found["components"] if component["pid"]]
    total = sum(component["memory_bytes"] or 0 for component in running)
    return f"{len(running)} {WHAT_RUNS[stack.runtime]}, {say.megabytes(total)}; "


def _table(found: dict[str, Any], stack: Stack) -> None:
    for component in found["components"]:
        pid = f"pid {component['pid']}" if component["pid"] else ""
        memory = say.megabytes(component["memory_bytes"]) if component["memory_bytes"] else ""
        line = f"  {component['name']:13}  {component['state']:9}  {component['endpoint'] or '':21}"
        beside = f"  {memory:>7}" if screen.width() < WITH_PIDS else f"  {pid:12}  {memory:>7}"
        say.line(f"{line}{beside}".rstrip())
    say.line(f"\n{stack.name}: {_sum(found, stack)}the services run from {stack.source}.")
    say.line(accounts.describe_open(stack.profile) if found["open"] else "Its stores ask for passwords: labkit status --json shows them.")
    for line in notes.notes(stack):
        say.line(line)
    if lifecycle.reset_intent(stack.directory):
        say.line("A reset was interrupted; labkit up finishes it.")
    if "reason" in found:
        say.line(f"{found['reason']}\nNext: {found['next']}")
    elif not found["ready"]:
        for component in found["components"]:
            if component["state"] == NOT_READY:
                say.line(f"{component['name']} is not ready: {component['missing']}")
        say.line("Next: labkit up")
