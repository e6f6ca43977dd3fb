"""labkit author mutate: mutants made by rule, judged by the checks; the survivors are shown."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from labkit.errors import ExitCode, UserError
from labkit.mutation import results, score
from labkit.mutation.model import GeneratedMutant
from labkit.mutation.results import CAUGHT, MutantResult
from labkit.mutation.subject import Subject, find
from labkit.terminal import say

STACK = "author-mutate"


def mutate(
    number: int | None,
    *,
    sample: int | None,
    seed: int,
    side_by_side: int,
    runtime: str | None,
    fresh: bool,
    only: Sequence[str],
    folder: Path | None,
    exam_s: float,
    as_json: bool,
) -> ExitCode:
    """Judge the mutants of a lab's exercise, or of the services. Exit code 0 if enough of them are caught, else 1."""
    subject = find(number)
    chosen = _named(subject, only) if only else subject.sample(sample, seed)
    path = results.path_of(subject.name, folder)
    before = {} if fresh or only else results.read(path)
    done = [before[mutant.id] for mutant in chosen if mutant.id in before and before[mutant.id].outcome == CAUGHT]
    finished = {result.id for result in done}
    to_do = [mutant for mutant in chosen if mutant.id not in finished]
    say.line(f"{subject.title}: {_counted(subject, chosen, done)}.\n")
    began = time.monotonic()
    by_id = {mutant.id: mutant for mutant in subject.mutants}
    for result in _results(subject, to_do, side_by_side, runtime, path, exam_s if subject.exam else 0.0):
        done.append(result)
        _tell(result, by_id[result.id], subject, len(done), len(chosen), shown=bool(only))
    wanted = score.wanted(subject)
    caught = sum(result.outcome == CAUGHT for result in done)
    if as_json:
        say.raw(json.dumps(_as_json(subject, done), indent=2, ensure_ascii=False))
    say.line(f"\n{caught} of {len(done)} caught in {time.monotonic() - began:.0f} s; {wanted:.0%} are enough.")
    return ExitCode.OK if not done or caught / len(done) >= wanted else ExitCode.FAIL


def _named(subject: Subject, ids: Sequence[str]) -> list[GeneratedMutant]:
    found = [mutant for mutant in subject.mutants if mutant.id in ids]
    if strange := set(ids) - {mutant.id for mutant in found}:
        raise UserError(f"There is no mutant {min(strange)} of {subject.title}.", "labkit author mutate", exit_code=ExitCode.USAGE)
    return found


def _counted(subject: Subject, chosen: Sequence[GeneratedMutant], done: Sequence[MutantResult]) -> str:
    parts = [f"{len(subject.mutants)} mutants in {len(subject.files)} files", f"{len(subject.equivalent)} of them equivalent"]
    return ", ".join([*parts, f"{len(chosen)} to judge", f"{len(done)} of these were caught earlier"])


def _results(
    subject: Subject, mutants: Sequence[GeneratedMutant], side_by_side: int, runtime: str | None, path: Path, exam_s: float
) -> Iterator[MutantResult]:
    from labkit.mutation.judge import Task
    from labkit.mutation.run import judge_all

    tasks = [Task(mutant, subject.labs[mutant.path], exam_s) for mutant in mutants]
    for result in judge_all(tasks, side_by_side=min(side_by_side, len(tasks)), stack=STACK, runtime=runtime) if tasks else ():
        if isinstance(result, str):
            say.line(f"  {result}")
        else:
            results.append(path, [result])
            yield result


def _tell(result: MutantResult, mutant: GeneratedMutant, subject: Subject, count: int, of: int, *, shown: bool) -> None:
    sign = "✓" if result.outcome == CAUGHT else "✗"
    say.line(f"  {sign} {count}/{of} {result.id} {result.path}:{result.line} {result.rule}: {_ended(result)}")
    if result.outcome != CAUGHT or shown:
        for line in mutant.diff(subject.tree[mutant.path].decode())[2:]:
            say.line(f"      {line}")
        if (known := subject.known.get(result.id)) is not None:
            say.line(f"      known: {known.why}")


def _ended(result: MutantResult) -> str:
    if result.outcome == results.SURVIVED:
        return "survived"
    by = "does not start" if result.check == results.AT_START else f"{result.outcome} by {result.check}"
    return f"{by}. {result.sentence}"


def _as_json(subject: Subject, done: Sequence[MutantResult]) -> dict[str, object]:
    return {
        "subject": subject.name,
        "made": len(subject.mutants),
        "equivalent": len(subject.equivalent),
        "mutants": [{name: getattr(result, name) for name in result.__struct_fields__} for result in done],
    }
