"""How many mutants the checks must catch, and the table that shows how many they do."""

from collections.abc import Iterator, Mapping

from labkit.mutation import known
from labkit.mutation.results import CAUGHT, UNKNOWN, MutantResult
from labkit.mutation.subject import Subject

OF_AN_EXERCISE, OF_THE_SERVICES = 0.98, 0.92


def wanted(subject: Subject) -> float:
    """Return which part of the mutants that are not equivalent must be caught."""
    return OF_THE_SERVICES if subject.exam else OF_AN_EXERCISE


def problems(subject: Subject) -> Iterator[str]:
    """Yield what is wrong with the mutants that are known as not caught: too many of them, or mutants that are no longer made."""
    counted = len(subject.mutants) - len(subject.equivalent)
    missed = [an_id for an_id, one in subject.known.items() if one.verdict != "equivalent"]
    if len(missed) > (1 - wanted(subject)) * counted:
        yield f"{known.FILE}: {len(missed)} of {counted} mutants are not caught, more than {1 - wanted(subject):.0%}"
    if gone := subject.known.keys() - {mutant.id for mutant in subject.mutants}:
        yield f"{known.FILE}: the code changed, and {', '.join(sorted(gone))} is no longer made: look again"


def table(subject: Subject, found: Mapping[str, MutantResult]) -> Iterator[str]:
    """Yield the lines of a Markdown table, one row for each file, and then each mutant that is not caught, with the reason if one is known.
    Mutants without a result are left out of the score."""
    yield from ("| file | made | caught | equivalent | survived | not judged |", "|---|---|---|---|---|---|")
    sums = [0] * 5
    for path in subject.files:
        row = _row(subject, path, found)
        sums = [one + other for one, other in zip(sums, row, strict=True)]
        if row[0]:
            yield f"| {path} | {' | '.join(map(str, row))} |"
    yield f"| **all** | {' | '.join(map(str, sums))} |"
    judged = sums[1] + sums[3]
    yield from ("", f"{sums[1]} of {judged} caught: {sums[1] / judged:.1%}." if judged else "None is judged yet.", "")
    for mutant in subject.mutants:
        result = found.get(mutant.id)
        if result is not None and result.outcome != CAUGHT and mutant.id not in subject.equivalent:
            entry = subject.known.get(mutant.id)
            said = entry.why if entry else "nobody has looked at it yet"
            how = f" (unknown by {result.check})" if result.outcome == UNKNOWN else ""
            yield f"- `{mutant.id}` {mutant.path}:{mutant.line}, {mutant.rule}{how}: {said}"


def _row(subject: Subject, path: str, found: Mapping[str, MutantResult]) -> list[int]:
    own = [mutant for mutant in subject.mutants if mutant.path == path]
    equivalent = [mutant for mutant in own if mutant.id in subject.equivalent]
    outcomes = [found[mutant.id].outcome if mutant.id in found else "" for mutant in own if mutant not in equivalent]
    caught, none = outcomes.count(CAUGHT), outcomes.count("")
    return [len(own), caught, len(equivalent), len(outcomes) - caught - none, none]
