"""The entire examination: all topics run in parallel, each limited to a few seconds."""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from labkit import __version__
from labkit.doctor import clock, folders, images, leftovers, limits, machine, ports, proxies, runtimes
from labkit.doctor.findings import EXIT_CODES, UNKNOWN, Finding, overall
from labkit.doctor.subject import Subject, look
from labkit.errors import UserError

LONGEST = 8.0  # seconds per topic; a network file system that is gone never answers

TOPICS: dict[str, Callable[[Subject], Iterator[Finding]]] = {
    "Runtime": runtimes.examine,
    "Images": images.examine,
    "Machine": machine.examine,
    "Clock": clock.examine,
    "Limits": limits.examine,
    "Ports": ports.examine,
    "Proxy": proxies.examine,
    "Folders": folders.examine,
    "Left over": leftovers.examine,
}


@dataclass(frozen=True)
class Examination:
    subject: Subject
    topics: dict[str, tuple[Finding, ...]]
    seconds: float

    @property
    def findings(self) -> list[Finding]:
        return [finding for found in self.topics.values() for finding in found]

    @property
    def verdict(self) -> str:
        return overall(self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the examination in the form that docs/doctor.md describes."""
        choice = self.subject.choice
        return {
            "labkit": __version__,
            "verdict": self.verdict,
            "exit_code": int(EXIT_CODES[self.verdict]),
            "stack": self.subject.name,
            "runtime": choice.runtime if choice else None,
            "why": choice.why if choice else self.subject.refusal.message if self.subject.refusal else "",
            "seconds": round(self.seconds, 3),
            "findings": [
                {"topic": topic, "id": f.id, "verdict": f.verdict, "sentence": f.sentence, "fix": f.fix or None, "facts": dict(f.facts)}
                for topic, found in self.topics.items()
                for f in found
            ],
        }


def examine(name: str, wanted: str | None) -> Examination:
    """Examine every topic, even if one of them fails. Raises UserError for an invalid stack name."""
    begun = time.monotonic()
    subject = look(name, wanted)
    found: dict[str, tuple[Finding, ...]] = {}
    threads = {topic: threading.Thread(target=_one, args=(topic, subject, found), daemon=True) for topic in TOPICS}
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, begun + LONGEST - time.monotonic()))
    done = dict(found)
    return Examination(subject, {topic: done.get(topic) or _silent(topic, done) for topic in TOPICS}, time.monotonic() - begun)


def _one(topic: str, subject: Subject, found: dict[str, tuple[Finding, ...]]) -> None:
    """Examine one topic. A topic that cannot be examined is unknown and does not stop the doctor."""
    seen: list[Finding] = []
    try:
        for finding in TOPICS[topic](subject):
            seen.append(finding)
    except UserError as error:
        seen.append(Finding(f"{topic.lower()}.seen", UNKNOWN, error.message, error.next_step or "labkit doctor"))
    except Exception as error:
        sentence = f"This could not be examined: {type(error).__name__}: {error}."
        seen.append(
            Finding(f"{topic.lower()}.seen", UNKNOWN, sentence, "labkit support FILE", {"trace": traceback.format_exc().splitlines()})
        )
    found[topic] = tuple(seen)


def _silent(topic: str, done: dict[str, tuple[Finding, ...]]) -> tuple[Finding, ...]:
    if topic in done:
        return ()
    return (Finding(f"{topic.lower()}.seen", UNKNOWN, f"Nothing answered within {LONGEST:.0f} s.", "labkit doctor"),)
