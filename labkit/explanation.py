"""The explanation of a verdict: one data type, one text form and one JSON form for invariants, findings and the checks of labs.

Order 9 (12.34) is CANCELLED, but 12.34 is still reserved for it.

because  order 9 became CANCELLED              its table, binlog 000002:48211
         no reservation of order 9 was removed the table of reservations
so       customers got the event and did nothing with it: which handler takes it?
next     labkit trace order 9
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.terminal import screen

LABEL = 9  # width of a label such as "because" with the space after it
FACT_WIDTH = 62  # longest fact, in characters, with its source on the same line


@dataclass(frozen=True)
class Fact:
    """An observation and its source, where it can be checked: a table and binlog position, a record, a log."""

    text: str
    source: str


@dataclass(frozen=True)
class Explanation:
    """The explanation of one verdict.

    `sentence`: the result in business terms. `expected` and `found`: the two sides of a comparison. `because`: the facts that prove it.
    `so`: the conclusion. `next_step`: what to do, usually a command. `traceback`: the last lines of the exception that caused it.
    """

    sentence: str
    expected: str = ""
    found: str = ""
    because: tuple[Fact, ...] = ()
    so: str = ""
    next_step: str = ""
    traceback: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The explanation as plain text, without the sources."""
        facts = [fact.text for fact in self.because]
        return "\n".join(filter(None, (self.sentence, self.expected, self.found, *facts, self.so, self.next_step)))


def as_data(explanation: Explanation) -> dict[str, Any]:
    """Return the JSON form. Every key is always present."""
    return {
        "sentence": explanation.sentence,
        "expected": explanation.expected,
        "found": explanation.found,
        "because": [{"fact": fact.text, "source": fact.source} for fact in explanation.because],
        "so": explanation.so,
        "next": explanation.next_step,
        "traceback": list(explanation.traceback),
    }


def heading(mark: str, *parts: str) -> str:
    """Return the heading: `✗ 2.3  Cancelling an order frees its credit`."""
    return f"{mark} {'  '.join(parts)}"


def as_lines(explanation: Explanation, columns: int, *, remark: str = "") -> Iterator[str]:
    """Yield the text form, without its heading. `remark` is another sentence after the first."""
    yield from sentence(explanation.sentence, columns)
    if remark:
        yield from ("", *sentence(remark, columns))
    if explanation.expected or explanation.found or explanation.because or explanation.so:
        yield ""
    for label, text in (("expected", explanation.expected), ("found", explanation.found)):
        if text:
            yield from labelled(label, text, columns)
    yield from _facts(explanation.because, columns)
    for label, text in (("so", explanation.so), ("next", explanation.next_step)):
        if text:
            yield from labelled(label, text, columns)
    if explanation.traceback:
        yield from ("", "  the exception:", *(f"    {line}" for line in explanation.traceback))


def _facts(facts: Sequence[Fact], columns: int) -> Iterator[str]:
    """Yield each fact with its source: on the same line, or below it where the screen is too narrow."""
    width = max((len(fact.text) for fact in facts), default=0)
    beside = width <= FACT_WIDTH and all(2 + LABEL + width + 2 + len(fact.source) <= columns for fact in facts)
    for index, fact in enumerate(facts):
        label = "because" if index == 0 else ""
        if beside:
            yield _labelled(label, f"{fact.text:{width}}  {fact.source}".rstrip())
        else:
            yield from labelled(label, fact.text, columns)
            if fact.source:
                yield from screen.wrapped(_labelled("", f"  {fact.source}"), columns, LABEL + 4)


def labelled(label: str, text: str, columns: int) -> list[str]:
    """Return the lines of `because  …`, with the later lines aligned to the text."""
    return screen.wrapped(_labelled(label, text), columns, LABEL + 2)


def _labelled(label: str, text: str) -> str:
    return f"  {label:{LABEL}}{text}"


def sentence(text: str, columns: int) -> list[str]:
    return screen.wrapped(f"  {text}", columns, 2)
