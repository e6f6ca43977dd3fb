"""Mistakes in Lua scripts. tree-sitter parses them and gives exact positions."""

from collections.abc import Iterator
from itertools import pairwise

import tree_sitter_lua
from tree_sitter import Language, Node, Parser

from labkit.mutation.model import Rewrite

_OPERATORS = {
    "==": ("~=",),
    "~=": ("==",),
    "<": ("<=", ">"),
    "<=": ("<", ">"),
    ">": (">=", "<"),
    ">=": (">", "<"),
    "and": ("or",),
    "or": ("and",),
    "+": ("-",),
    "-": ("+",),
}
_STATEMENTS = ("function_call", "assignment_statement", "return_statement", "if_statement", "for_statement", "break_statement")


def rewrites(text: str) -> Iterator[Rewrite]:
    """Yield each change of a script."""
    raw = text.encode()
    tree = Parser(Language(tree_sitter_lua.language())).parse(raw)
    for node in _all(tree.root_node):
        for rule, start, end, new in _of(node, raw):
            yield Rewrite(rule, len(raw[:start].decode()), len(raw[:end].decode()), new)


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all(child)


def _text(node: Node, raw: bytes) -> str:
    return raw[node.start_byte : node.end_byte].decode()


def _of(node: Node, raw: bytes) -> Iterator[tuple[str, int, int, str]]:
    parent = node.parent.type if node.parent else ""
    if node.type in _STATEMENTS and parent in ("chunk", "block"):
        yield "statement dropped", node.start_byte, node.end_byte, "do end"
        if node.type == "function_call":
            yield "statement doubled", node.end_byte, node.end_byte, "; " + _text(node, raw)
    if node.type == "binary_expression":
        left, operator, right = node.children
        for other in _OPERATORS.get(operator.type, ()):
            yield f"{operator.type} becomes {other}", operator.start_byte, operator.end_byte, other
        if operator.type in ("and", "or"):
            yield "condition dropped", node.start_byte, node.end_byte, _text(left, raw)
            yield "condition dropped", node.start_byte, node.end_byte, _text(right, raw)
    if node.type == "unary_expression" and node.children[0].type == "not":
        yield "not dropped", node.start_byte, node.end_byte, _text(node.children[1], raw)
    if node.type in ("if_statement", "elseif_statement") and (condition := node.child_by_field_name("condition")):
        for value in ("true", "false"):
            yield f"condition is always {value}", condition.start_byte, condition.end_byte, value
    if node.type == "number":
        for value in _numbers(_text(node, raw)):
            yield "number changed", node.start_byte, node.end_byte, value
    if node.type == "string" and parent != "binary_expression" and (found := _text(node, raw)) and " " not in found:
        yield "text changed", node.start_byte, node.end_byte, f"{found[:-1]}X{found[-1]}"
    if node.type == "field" and node.parent and node.parent.named_child_count > 1:
        comma = node.next_sibling
        end = comma.end_byte if comma is not None and comma.type == "," else node.end_byte
        yield "entry dropped", node.start_byte, end, ""
    if node.type in ("arguments", "expression_list"):
        named = [child for child in node.named_children if child.type != "comment"]
        for one, following in pairwise(named):
            between = raw[one.end_byte : following.start_byte].decode()
            yield "arguments swapped", one.start_byte, following.end_byte, _text(following, raw) + between + _text(one, raw)


def _numbers(text: str) -> list[str]:
    value = int(text) if text.isdigit() else None
    return [] if value is None else [str(value + 1)] + ([str(value - 1)] if value > 0 else [])
