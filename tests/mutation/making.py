"""Mutants of a small source text."""

from textwrap import dedent

from labkit.mutation.generate import mutants_of
from labkit.mutation.model import GeneratedMutant


def made(source: str, path: str = "services/shop/app.py", **others: str) -> list[GeneratedMutant]:
    """Return the mutants of a file. `others` are modules of the same system, by name."""
    tree = {path: dedent(source).encode(), **{f"services/{name}.py": dedent(text).encode() for name, text in others.items()}}
    return mutants_of(tree, [path])


def changes(mutant: GeneratedMutant, source: str) -> list[str]:
    """Return the lines that differ, without their indentation: `- was` and `+ is`."""
    lines = mutant.diff(dedent(source))[2:]
    return [f"{line[0]} {line[1:].strip()}".strip() for line in lines if line[0] in "+-"]


def is_made(source: str, path: str, rule: str, line: str) -> bool:
    return any(mutant.rule == rule and line in changes(mutant, source) for mutant in made(source, path))
