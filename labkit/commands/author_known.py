"""labkit author known: write down why mutants are equivalent, or why no check catches them."""

from collections.abc import Sequence
from typing import Literal

from labkit.errors import ExitCode, UserError
from labkit.mutation import known
from labkit.mutation.known import KnownMutant
from labkit.mutation.subject import find
from labkit.terminal import say


def write_down(number: int | None, ids: Sequence[str], verdict: Literal["equivalent", "not caught"], why: str) -> ExitCode:
    """Enter mutants in the file of their subject, in place of what was known of them. Entries of mutants that are no longer made are
    dropped."""
    subject = find(number)
    made = {mutant.id: mutant for mutant in subject.mutants}
    if strange := [an_id for an_id in ids if an_id not in made]:
        raise UserError(f"There is no mutant {strange[0]} of {subject.title}.", "labkit author mutate", exit_code=ExitCode.USAGE)
    entries = {an_id: one for an_id, one in subject.known.items() if an_id in made}
    dropped = len(subject.known) - len(entries)
    for an_id in ids:
        mutant = made[an_id]
        changed = [line for line in mutant.diff(subject.tree[mutant.path].decode())[2:] if line.startswith(("-", "+"))]
        entries[an_id] = KnownMutant(an_id, verdict, mutant.path, "\n".join(changed), why)
    known.write(subject.folder, entries)
    say.line(f"{', '.join(ids)}: {verdict}, {why}")
    if dropped:
        say.line(f"{dropped} entries of mutants that are no longer made were dropped.")
    return ExitCode.OK
