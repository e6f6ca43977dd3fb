"""labkit doctor --rehearse, for the evening before: bring up a separate stack, check lab 1, and remove everything again.

The last line is for the instructor: what runs here, how fast, and the verdict.
"""

import asyncio
import json
import os
import platform
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import __version__, interrupts
from labkit.catalog.labs import find_lab
from labkit.catalog.run import judge
from labkit.checking.checks import CheckResult
from labkit.doctor import examination, text
from labkit.doctor.findings import BAD, CANNOT_TELL, EXIT_CODES, NOT_READY, READY
from labkit.errors import ExitCode, UserError
from labkit.pass_fail_unknown import Verdict, worst
from labkit.stack import lifecycle, runtimes, state
from labkit.stack.component_table import ComponentTable, LiveTable, SilentTable
from labkit.stack.model import Stack
from labkit.system import find as profiles
from labkit.terminal import say

STACK = "rehearsal"
LAB = 1
VERDICTS = {Verdict.PASS: READY, Verdict.FAIL: NOT_READY, Verdict.UNKNOWN: CANNOT_TELL}


@dataclass
class Rehearsed:
    """The result of a rehearsal. Times are in seconds, memory in bytes; None for what was not reached."""

    runtime: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    up_s: float | None = None
    lab_s: float | None = None
    passed: int = 0
    checks: int = 0
    down_s: float | None = None
    memory_bytes: int | None = None
    verdict: str = NOT_READY
    why: str = ""


def rehearse(stack_name: str, *, runtime: str | None, as_json: bool) -> ExitCode:
    """Rehearse on the runtime that `labkit up` would take for the stack, and always clean up. The exit codes are the doctor's."""
    found = examination.examine(stack_name, runtime)
    result = Rehearsed(runtime=found.subject.taken)
    interrupted = False
    for line in text.troubles(found):
        _tell(line, as_json)
    if found.verdict == NOT_READY:
        result.why = next(finding.sentence for finding in found.findings if finding.verdict == BAD)
    else:
        try:
            _rehearse(result, as_json)
        except UserError as error:
            result.verdict, result.why = NOT_READY, error.message
            _tell(f"\n{error}", as_json)
        except (KeyboardInterrupt, asyncio.CancelledError):
            interrupted, result.verdict, result.why = True, CANNOT_TELL, "it was stopped"
    _conclude(found, result, as_json)
    return ExitCode.INTERRUPTED if interrupted else EXIT_CODES[result.verdict]


def _rehearse(result: Rehearsed, as_json: bool) -> None:
    """Rehearse, and fill in the result step by step. Raises UserError, KeyboardInterrupt."""
    interrupts.on_termination()
    assert result.runtime is not None
    with state.exclusive(STACK, "doctor --rehearse") as directory:
        lifecycle.take_down(directory, state.find(STACK), data=True)  # remains of a killed rehearsal
        try:
            stack = _up(directory, result, as_json)
            _check(stack.name, result, as_json)
        finally:
            interrupts.ignore()
            _tell("\nRemoving it, with its data.", as_json)
            begun = time.monotonic()
            lifecycle.take_down(directory, state.find(STACK), data=True)
            result.down_s = time.monotonic() - begun


def _up(directory: Path, result: Rehearsed, as_json: bool) -> Stack:
    assert result.runtime is not None
    _tell(f"Starting a stack named {STACK!r} {text.SPOKEN[result.runtime]}; your own is not touched.\n", as_json)
    begun = time.monotonic()
    with SilentTable() if as_json else LiveTable() if say.on_terminal() else ComponentTable() as table:
        brought = lifecycle.bring_up(directory, STACK, None, table, runtime=result.runtime, profile=profiles.default())
    result.up_s = time.monotonic() - begun
    result.versions = {name: brought.stack[name].version for name in brought.stack.servers}
    result.memory_bytes = sum(runtimes.of_stack(brought.stack).memory().values())
    _tell(f"\nReady in {result.up_s:.1f} s: {say.megabytes(result.memory_bytes)}.", as_json)
    return brought.stack


def _check(name: str, result: Rehearsed, as_json: bool) -> None:
    lab = find_lab(LAB)
    checks, seed = lab.checks(), secrets.randbelow(1_000_000)
    width = max(len(check.title) for check in checks)
    _tell(f"\nLab {lab.number} · {lab.title}\n", as_json)

    def tell(outcome: CheckResult) -> None:
        done = outcome.check
        _tell(f"  {outcome.verdict.mark} {done.id}  {done.title:{width}}  {outcome.seconds:5.1f} s", as_json)
        if outcome.verdict is not Verdict.PASS:
            _tell(f"      {outcome.sentence}", as_json)

    begun = time.monotonic()
    outcomes, _ = asyncio.run(judge(state.load(name), lab, checks, seed, tell=tell))
    result.lab_s = time.monotonic() - begun
    result.passed, result.checks = sum(o.verdict is Verdict.PASS for o in outcomes), len(checks)
    verdict = worst(o.verdict for o in outcomes)
    result.verdict = VERDICTS[verdict]
    result.why = next((f"{o.check.id} {o.sentence}" for o in outcomes if o.verdict is verdict and o.sentence), "")


def _tell(line: str, as_json: bool) -> None:
    if not as_json:
        say.line(line)


def _conclude(found: examination.Examination, result: Rehearsed, as_json: bool) -> None:
    line = for_the_instructor(found, result)
    if as_json:
        say.raw(json.dumps({"line": line, "rehearsal": vars(result), "doctor": found.as_json()}, indent=2))
        return
    say.line("\nSend this line to your instructor:\n")
    say.line(line)
    if result.verdict != READY:
        say.line("\nNext: labkit doctor; for help: labkit support labkit-support.zip")


def for_the_instructor(found: examination.Examination, result: Rehearsed) -> str:
    """Return one line without personal names: `labkit 0.1.0: ready; native, MariaDB 10.11.19, …; Linux x86_64, 2 cores, …; up 2.1 s, lab
    1 6/6 in 3 s`."""
    memory: dict[str, Any] = next((dict(f.facts) for f in found.findings if f.id == "memory"), {})
    versions = ", ".join(version.partition(",")[0] for version in result.versions.values() if version)
    machine = [f"{platform.system()} {platform.machine()}", f"{os.cpu_count()} cores"]
    if memory:
        machine.append(f"{memory['machine_mb'] / 1000:.1f} GB, {memory['available_mb'] / 1000:.1f} GB free")
    times = [
        f"up {result.up_s:.1f} s" if result.up_s is not None else "not up",
        f"lab {LAB} {result.passed}/{result.checks} in {result.lab_s:.1f} s" if result.lab_s is not None else "",
        say.megabytes(result.memory_bytes) if result.memory_bytes else "",
    ]
    parts = [
        ", ".join(filter(None, (result.runtime or "no runtime", versions))),
        ", ".join(machine),
        ", ".join(filter(None, times)),
    ]
    why = f" ({' '.join(result.why.split()).removesuffix('.')})" if result.why and result.verdict != READY else ""
    return f"labkit {__version__}: {result.verdict}{why}; {'; '.join(parts)}; {time.strftime('%Y-%m-%d %H:%M %z')}"
