"""The mutants of files, by the rules of their languages."""

import ast
from collections.abc import Iterable, Iterator, Mapping

from labkit.mutation import lua, names, python, yaml_steps
from labkit.mutation.model import GeneratedMutant, changed_line

_BY_TEXT = {".lua": lua.rewrites, ".yml": yaml_steps.rewrites, ".yaml": yaml_steps.rewrites}


def mutants_of(tree: Mapping[str, bytes], paths: Iterable[str]) -> list[GeneratedMutant]:
    """Return the mutants of these files of a tree, in the order of the files and their lines. Files in other languages have none."""
    words = names.vocabulary(content.decode() for path, content in tree.items() if path.endswith(".py"))
    found: list[GeneratedMutant] = []
    for path in paths:
        text = tree[path].decode()
        if path.endswith(".py"):
            of_file = [_in_python(path, text, rule, changed) for rule, changed in python.contents(text, words)]
        else:
            of_file = list(_in_text(path, text))
        found += sorted(of_file, key=lambda mutant: mutant.line)
    unique = {mutant.id: mutant for mutant in found}
    return list(unique.values())


def _in_text(path: str, text: str) -> Iterator[GeneratedMutant]:
    rules = next((rules for ending, rules in _BY_TEXT.items() if path.endswith(ending)), None)
    for rewrite in rules(text) if rules else ():
        changed = text[: rewrite.start] + rewrite.new + text[rewrite.end :]
        if changed != text:
            yield GeneratedMutant(path, rewrite.rule, changed_line(text, changed), text, changed, changed)


def _in_python(path: str, text: str, rule: str, changed: str) -> GeneratedMutant:
    line = changed_line(text, changed)
    begin, end = _around(text, line)
    old = text.splitlines(keepends=True)
    head, tail = "".join(old[:begin]), "".join(old[end:])
    is_within = changed.startswith(head) and changed.endswith(tail) and len(changed) >= len(head) + len(tail)
    if not is_within:
        return GeneratedMutant(path, rule, line, text, changed, changed)
    return GeneratedMutant(path, rule, line, "".join(old[begin:end]), changed[len(head) : len(changed) - len(tail)], changed)


def _around(text: str, line: int) -> tuple[int, int]:
    """Return the lines of the function or statement around a line, as a slice of the lines."""
    nodes: list[ast.stmt] = []
    for node in ast.parse(text).body:
        nodes += node.body if isinstance(node, ast.ClassDef) else [node]
    for node in nodes:
        begin = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        if begin <= line <= (node.end_lineno or node.lineno):
            return begin - 1, node.end_lineno or node.lineno
    return line - 1, line
