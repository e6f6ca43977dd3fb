"""Mistakes in Python. libcst keeps the text around a mistake as it was.

A rule is a function from a node to what may stand in its place. Left alone are docstrings, types, log calls, and texts with spaces, which
are for people (except SQL, see sql.py); and durations and sizes: nobody outside could tell 5 s from 6 s.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import libcst as cst
from libcst import matchers as m

from labkit.mutation import sql
from labkit.mutation.names import Vocabulary, confused, siblings
from labkit.mutation.statements import is_log_call, statement_changes

Change = tuple[str, cst.CSTNode]
_Rule = Callable[[cst.CSTNode], Iterator[Change]]

_PLAIN_DECORATORS = ("property", "dataclass", "contextmanager", "asynccontextmanager", "staticmethod", "classmethod", "cached_property")
_COMPARISONS: dict[type[cst.BaseCompOp], tuple[type[cst.BaseCompOp], ...]] = {
    cst.LessThan: (cst.LessThanEqual, cst.GreaterThan),
    cst.LessThanEqual: (cst.LessThan, cst.GreaterThan),
    cst.GreaterThan: (cst.GreaterThanEqual, cst.LessThan),
    cst.GreaterThanEqual: (cst.GreaterThan, cst.LessThan),
    cst.Equal: (cst.NotEqual,),
    cst.NotEqual: (cst.Equal,),
    cst.Is: (cst.IsNot,),
    cst.IsNot: (cst.Is,),
    cst.In: (cst.NotIn,),
    cst.NotIn: (cst.In,),
}
_BINARY: dict[type[cst.BaseBinaryOp], type[cst.BaseBinaryOp]] = {
    cst.Add: cst.Subtract,
    cst.Subtract: cst.Add,
    cst.Multiply: cst.FloorDivide,
    cst.FloorDivide: cst.Multiply,
    cst.Divide: cst.Multiply,
    cst.Modulo: cst.FloorDivide,
    cst.BitOr: cst.BitAnd,
    cst.BitAnd: cst.BitOr,
}
_WITH_UNIT = re.compile(r"^[A-Z_]+_(S|MS|BYTES)$")
_DURATION = re.compile(r"(timeout|delay|[._](s|ms|bytes)|^thread_name_prefix)$")
_OTHER_FUNCTION = {"min": "max", "max": "min", "any": "all", "all": "any"}


def contents(text: str, words: Vocabulary) -> Iterator[tuple[str, str]]:
    """Yield each wrong version of a module, with the rule that made it. A version that means the same is left out."""
    text = text if text.endswith("\n") else f"{text}\n"
    module = cst.parse_module(text)
    known = set(re.findall(r"\w+", text))
    same_type = siblings(known, words)
    codes = [module.code_for_node(statement) for statement in module.body]
    head, body, tail = text.partition("".join(codes)) if codes else (text, "", "")
    assert bool(body) is bool(codes)
    for at, statement in enumerate(module.body):  # only this part is made again: a module takes long
        found = _Places(words, same_type, known)
        statement.visit(found)
        before, after = head + "".join(codes[:at]), "".join(codes[at + 1 :]) + tail
        made = ((rule, module.code_for_node(_replaced(statement, node, new))) for rule, node, new in found.places)
        yield from ((rule, before + changed + after) for rule, changed in _different(codes[at], made))
    of_module = ((rule, cst.ensure_type(new, cst.Module).code) for rule, new in statement_changes(module))
    yield from _different(text, of_module)


def _replaced(statement: cst.CSTNode, node: cst.CSTNode, new: cst.CSTNode) -> cst.CSTNode:
    changed = statement.deep_replace(node, new)
    assert isinstance(changed, cst.CSTNode)
    return changed


def _different(text: str, made: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Leave out what is no Python, and what means the same as the text or as one before it."""
    seen = {ast.dump(ast.parse(text))}
    for rule, changed in made:
        try:
            meaning = ast.dump(ast.parse(changed))
            compile(changed, "mutant", "exec")
        except SyntaxError:  # such as `await` outside a function after a move
            continue
        if meaning not in seen:
            seen.add(meaning)
            yield rule, changed


class _Places(cst.CSTVisitor):
    """Collects the nodes to replace."""

    def __init__(self, words: Vocabulary, same_type: dict[str, set[str]], known: set[str]) -> None:
        super().__init__()
        self.places: list[tuple[str, cst.CSTNode, cst.CSTNode]] = []
        self._words, self._same_type, self._known = words, same_type, known

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _is_left_alone(node):
            return False
        for rule, new in [*_expression_changes(node), *statement_changes(node), *confused(node, self._words, self._same_type, self._known)]:
            self.places.append((rule, node, new))
        if isinstance(node, cst.ConcatenatedString):
            self.places += _in_parts(node)
        return not isinstance(node, cst.ConcatenatedString | cst.FormattedString | cst.SimpleString)


def _is_left_alone(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Annotation | cst.Import | cst.ImportFrom | cst.Decorator | cst.Assert) or _is_duration(node):
        return True
    return is_log_call(node) or m.matches(node, m.SimpleStatementLine(body=[m.Expr(value=m.SimpleString() | m.ConcatenatedString())]))


def _is_duration(node: cst.CSTNode) -> bool:
    """Whether the node gives a name to a duration or a size: a constant with its unit, an argument, or a setting of a client."""
    if isinstance(node, cst.Assign | cst.AnnAssign):
        target = node.targets[0].target if isinstance(node, cst.Assign) else node.target
        return isinstance(target, cst.Name) and _WITH_UNIT.search(target.value) is not None
    if isinstance(node, cst.Arg):
        return node.keyword is not None and _DURATION.search(node.keyword.value) is not None
    return (
        isinstance(node, cst.DictElement) and isinstance(node.key, cst.SimpleString) and _DURATION.search(node.key.value[1:-1]) is not None
    )


# expressions


def _expression_changes(node: cst.CSTNode) -> Iterator[Change]:
    for kind, rule in _RULES:
        if isinstance(node, kind):
            yield from rule(node)


def _comparison(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.Comparison)
    target = node.comparisons[0]
    for other in _COMPARISONS.get(type(target.operator), ()):
        changed = target.with_changes(operator=other())
        yield "comparison changed", node.with_changes(comparisons=[changed, *node.comparisons[1:]])


def _arithmetic(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.BinaryOperation)
    if other := _BINARY.get(type(node.operator)):
        yield "arithmetic changed", node.with_changes(operator=other())


def _boolean(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.BooleanOperation)
    other = cst.Or() if isinstance(node.operator, cst.And) else cst.And()
    yield "and/or changed", _in_brackets(node.with_changes(operator=other))
    yield "condition dropped", node.left
    yield "condition dropped", node.right


def _in_brackets(node: cst.BaseExpression) -> cst.BaseExpression:
    return node if node.lpar else node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _negation(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.UnaryOperation)
    if isinstance(node.operator, cst.Not):
        yield "not dropped", node.expression


def _test(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.If | cst.IfExp | cst.While)
    if m.matches(node.test, m.Name("True") | m.Name("TYPE_CHECKING")):
        return
    for value in ("True", "False"):
        if not (isinstance(node, cst.While) and value == "True"):
            yield f"condition is always {value}", node.with_changes(test=cst.Name(value))


def _filter(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.CompFor)
    for at in range(len(node.ifs)):
        yield "filter dropped", node.with_changes(ifs=[*node.ifs[:at], *node.ifs[at + 1 :]])


def _integer(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.Integer)
    if node.value.replace("_", "").isdigit():
        value = int(node.value)
        yield "number changed", cst.Integer(str(value + 1))
        if value > 0:
            yield "number changed", cst.Integer(str(value - 1))


def _name(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.Name)
    if node.value in ("True", "False"):
        yield "true/false changed", cst.Name("False" if node.value == "True" else "True")


def _string(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.SimpleString | cst.FormattedString)
    text = _code(node)
    if sql.is_sql(text[slice(*_inside(text))]):
        yield from _in_sql(node)
    elif isinstance(node, cst.SimpleString) and " " not in node.value:
        yield "text changed", cst.SimpleString(node.value[:-1] + "X" + node.value[-1])
    elif isinstance(node, cst.FormattedString) and " " not in text:
        yield "text changed", node.with_changes(parts=[*node.parts, cst.FormattedStringText("X")])


def _in_parts(node: cst.ConcatenatedString) -> list[tuple[str, cst.CSTNode, cst.CSTNode]]:
    """Return the changes of SQL that is written in several literals. Other texts in several literals are for people."""
    parts: list[cst.BaseString] = [node.left]
    right = node.right
    while isinstance(right, cst.ConcatenatedString):
        parts.append(right.left)
        right = right.right
    parts.append(right)
    first = _code(parts[0])
    return [(rule, part, new) for part in parts for rule, new in _in_sql(part)] if sql.is_sql(first[slice(*_inside(first))]) else []


def _in_sql(node: cst.CSTNode) -> Iterator[Change]:
    text = _code(node)
    begin, end = _inside(text)
    for change in sql.rewrites(text[begin:end], read_as=_masked(text[begin:end])):
        yield f"SQL: {change.rule}", cst.parse_expression(text[: begin + change.start] + change.new + text[begin + change.end :])


def _code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


def _inside(text: str) -> tuple[int, int]:
    """Return where the text between the quotes of a literal begins and ends."""
    literal = re.fullmatch(r"""[(\s]*[a-zA-Z]*("{3}|'{3}|"|')(.*)\1[\s)]*""", text, re.DOTALL)
    assert literal is not None
    return literal.span(2)


def _masked(text: str) -> str:
    """Replace each {…} of an f-string with a name of the same length, so that positions stay."""
    found, depth = [], 0
    for character in text:
        depth += character == "{"
        found.append("x" if depth else character)
        depth -= character == "}"
    return "".join(found)


def _await(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.Await)
    yield "await dropped", node.expression


def _call(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.Call)
    for at, one in enumerate(node.args):
        if one.keyword is not None and not one.star:
            yield "argument dropped", node.with_changes(args=_last_without_comma([*node.args[:at], *node.args[at + 1 :]]))
    for new in _swapped([arg for arg in node.args if arg.keyword is None and not arg.star]):
        rest = [arg for arg in node.args if arg.keyword is not None or arg.star]
        yield "arguments swapped", node.with_changes(args=[*new, *rest])
    if isinstance(node.func, cst.Name) and (other := _OTHER_FUNCTION.get(node.func.value)):
        yield f"{node.func.value} becomes {other}", node.with_changes(func=cst.Name(other))
    if m.matches(node.func, m.Name("sorted")) and node.args:
        yield "order dropped", cst.Call(cst.Name("list"), [cst.Arg(node.args[0].value)])


def _last_without_comma(args: Sequence[cst.Arg]) -> list[cst.Arg]:
    return [*args[:-1], args[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)] if args else []


def _swapped(parts: Sequence[cst.Arg] | Sequence[cst.Element]) -> Iterator[list[cst.CSTNode]]:
    """Yield the parts with two neighbours swapped: their values, not their commas."""
    for at in range(len(parts) - 1):
        one, other = parts[at], parts[at + 1]
        if not one.value.deep_equals(other.value):
            swapped: list[cst.CSTNode] = list(parts)
            swapped[at : at + 2] = [one.with_changes(value=other.value), other.with_changes(value=one.value)]
            yield swapped


def _collection(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.Tuple | cst.List | cst.Set | cst.Dict)
    elements = list(node.elements)
    for at in range(len(elements)) if len(elements) > 1 and not isinstance(node, cst.Tuple) else ():
        yield "entry dropped", node.with_changes(elements=[*elements[:at], *elements[at + 1 :]])
    if isinstance(node, cst.Tuple) and all(isinstance(element, cst.Element) for element in elements):
        for new in _swapped([element for element in elements if isinstance(element, cst.Element)]):
            yield "entries swapped", node.with_changes(elements=new)


def _decorated(node: cst.CSTNode) -> Iterator[Change]:
    assert isinstance(node, cst.FunctionDef)
    for at, decorator in enumerate(node.decorators):
        name = decorator.decorator.func if isinstance(decorator.decorator, cst.Call) else decorator.decorator
        last = name.attr.value if isinstance(name, cst.Attribute) else name.value if isinstance(name, cst.Name) else ""
        if last not in _PLAIN_DECORATORS and last != "setter":
            yield "handler dropped", node.with_changes(decorators=[*node.decorators[:at], *node.decorators[at + 1 :]])


_RULES: list[tuple[type[cst.CSTNode] | tuple[type[cst.CSTNode], ...], _Rule]] = [
    (cst.Comparison, _comparison),
    (cst.BinaryOperation, _arithmetic),
    (cst.BooleanOperation, _boolean),
    (cst.UnaryOperation, _negation),
    ((cst.If, cst.IfExp, cst.While), _test),
    (cst.CompFor, _filter),
    (cst.Integer, _integer),
    (cst.Name, _name),
    ((cst.SimpleString, cst.FormattedString), _string),
    (cst.Await, _await),
    (cst.Call, _call),
    ((cst.Tuple, cst.List, cst.Set, cst.Dict), _collection),
    (cst.FunctionDef, _decorated),
]
