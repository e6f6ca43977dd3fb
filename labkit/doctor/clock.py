"""The clocks: this machine's, and the clock of the Docker engine's machine. Containers write times by the latter, and users compare
them."""

import datetime
import time
from collections.abc import Iterator

from labkit.doctor.findings import BAD, NOTE, OK, UNKNOWN, Finding
from labkit.doctor.subject import Subject

TOLERATED = 2.0  # seconds of difference between the two
WATCHED = 0.1  # seconds in which a jump of the clock is noticed
JUMP = 0.05
READINGS = 10


def examine(subject: Subject) -> Iterator[Finding]:
    yield _steady()
    yield from _future(subject)
    if subject.engine and subject.takes_docker:
        yield _engine(subject)


def _steady() -> Finding:
    """Detect a clock that jumps while the doctor looks: a virtual machine that wakes up, or a time service that steps instead of
    slewing."""
    before = _ahead()
    time.sleep(WATCHED)
    jumped = _ahead() - before
    if abs(jumped) > JUMP:
        sentence = f"This machine's clock jumped by {jumped:+.1f} s while the doctor looked."
        return Finding("clock.steady", NOTE, sentence, "labkit doctor, once the clock has been set", {"jump_s": jumped})
    return Finding("clock.steady", OK, f"The clock runs evenly; it is {time.strftime('%Y-%m-%d %H:%M:%S %z')}.", facts={"jump_s": jumped})


def _ahead() -> float:
    """Return how far the wall clock is ahead of the monotonic clock. Of several readings, the fastest one is the most exact."""
    readings = []
    for _ in range(READINGS):
        begun, clock, ended = time.monotonic(), time.time(), time.monotonic()
        readings.append((ended - begun, clock - ended))
    return min(readings)[1]


def _future(subject: Subject) -> Iterator[Finding]:
    """Detect a clock that was set back: the stack's last file would then be from the future. Message ids follow the clock."""
    written = subject.directory / "stack.json"
    try:
        ahead = written.stat().st_mtime - time.time()
    except OSError:
        return
    if ahead > TOLERATED:
        sentence = f"The clock was set back: the stack was last brought up {_duration(ahead)} in the future."
        fix = f"set the clock, or start over: labkit reset --data --name {subject.name}"
        yield Finding("clock.past", BAD, sentence, fix, {"ahead_s": round(ahead, 1)})


def _engine(subject: Subject) -> Finding:
    if subject.answers is None:
        return Finding("clock.engine", UNKNOWN, "The Docker engine does not report its time.", "docker info")
    told = _seconds(str(subject.answers.info["SystemTime"]))
    asked, answered = subject.answers.asked, subject.answers.answered
    off = told - answered if told > answered else told - asked if told < asked else 0.0
    if abs(off) > TOLERATED:
        way = "ahead of" if off > 0 else "behind"
        sentence = f"The Docker engine's clock is {_duration(abs(off))} {way} this machine's."
        return Finding("clock.engine", BAD, sentence, "restart Docker Desktop, or: sudo systemctl restart docker", {"off_s": round(off, 3)})
    return Finding("clock.engine", OK, "The Docker engine's clock agrees with this machine's.", facts={"off_s": round(off, 3)})


def _seconds(text: str) -> float:
    """Parse a time such as `2026-01-02T03:04:05.123456789+01:00`, or with Z, as epoch seconds. fromisoformat takes six digits at most."""
    whole, _, rest = text.replace("Z", "+00:00").partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return datetime.datetime.fromisoformat(whole + rest[len(digits) :]).timestamp() + float(f"0.{digits or 0}")


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
