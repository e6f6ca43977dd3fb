"""The hand-written solutions of a lab on a proof stack: right but unusual ones, and ones with a mistake."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from labkit.catalog import proof, trees
from labkit.catalog.labs import Lab, Mutant
from labkit.catalog.proof_stack import ProofStack


def combined(stack: ProofStack, lab: Lab, variants: Sequence[Path]) -> Iterator[list[Path]]:
    """Put the solution with as many of the variants as can be applied together on the stack, which is quicker than one by one; then the
    next ones. Yield those that are on it. Raises UserError if a variant does not apply to the solution."""
    left = list(variants)
    while left:
        stack.files.become(trees.solved(lab))
        together = []
        for file in left:
            if stack.files.fits(file):
                stack.files.patch(file)
                together.append(file)
        if not together:
            stack.files.patch(left[0])  # raises the error that says why it does not apply
        yield together
        left = [file for file in left if file not in together]


@contextmanager
def mistaken(stack: ProofStack, lab: Lab, mutant: Mutant) -> Iterator[None]:
    """Put the solution with the mistake on the stack. Raises UserError if the patch no longer applies."""
    file = proof.mutant_file(lab, mutant)
    stack.files.become(trees.solved(lab))
    if file.suffix != ".sql":
        stack.files.patch(file)
        yield
        return
    do, undo = proof.statements(file)
    stack.execute(do)
    try:
        yield
    finally:
        stack.execute(undo)
