"""Names in Python that can be mistaken for each other: members of an enum, fields of the same type, events of the same contract."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import libcst as cst


@dataclass(frozen=True)
class Vocabulary:
    """Names that can be mistaken for each other: members of an enum, fields of a class that have the same type, and the events of a
    contract."""

    members: dict[str, tuple[str, ...]]
    """Of each enum."""
    fields: dict[str, list[tuple[str, ...]]]
    """Of each class, in groups of the same type."""
    events: dict[str, set[str]]
    """For each event, the others that are imported with it."""


def vocabulary(texts: Iterable[str]) -> Vocabulary:
    """Read the names from the modules of a system."""
    members: dict[str, tuple[str, ...]] = {}
    fields: dict[str, list[tuple[str, ...]]] = {}
    events: dict[str, set[str]] = {}
    for text in texts:
        module = ast.parse(text)
        for node in module.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("services.contracts."):
                names = [alias.name for alias in node.names if alias.name[0].isupper() and not alias.name.isupper()]
                for name in names:
                    events.setdefault(name, set()).update(other for other in names if other != name)
            if isinstance(node, ast.ClassDef):
                _read_class(node, members, fields)
    return Vocabulary(members, fields, events)


def _read_class(node: ast.ClassDef, members: dict[str, tuple[str, ...]], fields: dict[str, list[tuple[str, ...]]]) -> None:
    if any(isinstance(base, ast.Name) and base.id.endswith("Enum") for base in node.bases):
        assigned = [target for part in node.body if isinstance(part, ast.Assign) for target in part.targets]
        members[node.name] = tuple(target.id for target in assigned if isinstance(target, ast.Name))
        return
    types: dict[str, list[str]] = {}
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            types.setdefault(ast.unparse(part.annotation), []).append(part.target.id)
        elif isinstance(part, ast.FunctionDef) and part.returns and _is_property(part):
            types.setdefault(ast.unparse(part.returns), []).append(part.name)
    fields[node.name] = [tuple(names) for names in types.values() if len(names) > 1]


def _is_property(function: ast.FunctionDef) -> bool:
    """Return whether a function is a property that is more than another name for a field."""
    last = function.body[-1]
    is_alias = isinstance(last, ast.Return) and isinstance(last.value, ast.Attribute) and isinstance(last.value.value, ast.Name)
    return any(ast.unparse(d) == "property" for d in function.decorator_list) and not (len(function.body) <= 2 and is_alias)


def siblings(known: set[str], words: Vocabulary) -> dict[str, set[str]]:
    """Return for each field the others of its type, of the classes that a module names."""
    found: dict[str, set[str]] = {}
    for name in known & words.fields.keys():
        for group in words.fields[name]:
            for one in group:
                found.setdefault(one, set()).update(other for other in group if other != one)
    return found


def confused(node: cst.CSTNode, words: Vocabulary, same_type: dict[str, set[str]], known: set[str]) -> Iterator[tuple[str, cst.CSTNode]]:
    """One name stands for another: a member of the same enum, a field of the same type, an event of the same contract."""
    if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name):
        owner, name = node.value.value, node.attr.value
        for other in words.members.get(owner, ()):
            if other != name:
                yield "another member", node.with_changes(attr=cst.Name(other))
        if owner not in ("self", "cls", *words.members):
            for other in sorted(same_type.get(name, ())):
                yield "another field", node.with_changes(attr=cst.Name(other))
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name):
        for other in sorted(words.events.get(node.func.value, set()) & known):
            yield "another event", node.with_changes(func=cst.Name(other))
