"""Mistakes in the statements of Python code: dropped, doubled, swapped, moved out of their transaction, an exception swallowed, a result
remembered."""

from collections.abc import Iterator, Sequence

import libcst as cst
from libcst import matchers as m

Change = tuple[str, cst.CSTNode]
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
_REMEMBERS = """
def _remembered(function, kept={}):
    async def of(*given, **named):
        key = function.__qualname__, repr(given[1:]), repr(named)
        if key not in kept:
            kept[key] = await function(*given, **named)
        return kept[key]

    return of
"""


def statement_changes(node: cst.CSTNode) -> Iterator[Change]:
    """Yield what may stand in the place of a block, a function, a `with`, a `try` or an assignment."""
    if isinstance(node, cst.IndentedBlock):
        body = list(node.body)
        for rule, changed in _of_block(body):
            yield rule, node.with_changes(body=changed)
    elif isinstance(node, cst.FunctionDef):
        yield from _of_function(node)
    elif isinstance(node, cst.With):
        yield from _of_with(node)
    elif isinstance(node, cst.Try):
        yield from _of_try(node)
    elif isinstance(node, cst.AugAssign):
        yield from _of_assignment(node)
    elif isinstance(node, cst.Module):
        yield from _remembered(node)


def _of_block(body: Sequence[cst.CSTNode]) -> Iterator[tuple[str, list[cst.CSTNode]]]:
    for at, statement in enumerate(body):
        before, after = list(body[:at]), list(body[at + 1 :])
        if _can_go(statement, is_last=not after):
            yield "statement dropped", [*before, *after] if before or after else [cst.parse_statement("pass")]
        if _acts(statement):
            yield "statement doubled", [*before, statement, statement, *after]
        if after and _can_swap(statement, after[0]):
            yield "statements swapped", [*before, after[0], statement, *after[1:]]
        if isinstance(statement, cst.With) and _is_transaction(statement):
            yield from ((rule, [*before, *changed, *after]) for rule, changed in _of_transaction(statement))


def _small(statement: cst.CSTNode) -> cst.BaseSmallStatement | None:
    return statement.body[0] if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1 else None


def _can_go(statement: cst.CSTNode, *, is_last: bool) -> bool:
    """A dropped assignment to a name is left out: the name would be missing, which says nothing about the checks."""
    small = _small(statement)
    if isinstance(small, cst.Expr):
        return not m.matches(small, m.Expr(m.SimpleString() | m.ConcatenatedString() | m.Ellipsis())) and not _is_log(small)
    if isinstance(small, cst.Assign):
        return all(isinstance(target.target, cst.Attribute | cst.Subscript) for target in small.targets)
    if isinstance(small, cst.Return):
        return small.value is not None or not is_last
    return isinstance(small, cst.AugAssign | cst.Raise | cst.Break | cst.Continue | cst.Del) or isinstance(statement, cst.For)


def _is_log(small: cst.Expr) -> bool:
    return is_log_call(small.value)


def is_log_call(node: cst.CSTNode) -> bool:
    return m.matches(node, m.Call(func=m.Name("log") | m.Name("log_many") | m.Name("log_handled")))


def _acts(statement: cst.CSTNode) -> bool:
    small = _small(statement)
    return isinstance(small, cst.Expr) and m.matches(small, m.Expr(m.Call() | m.Await(m.Call()))) and not _is_log(small)


def _can_swap(one: cst.CSTNode, other: cst.CSTNode) -> bool:
    first, second = _small(one), _small(other)
    if first is None or second is None or not all(isinstance(s, cst.Expr | cst.Assign | cst.AugAssign) for s in (first, second)):
        return False
    if m.matches(first, m.Expr(m.SimpleString() | m.ConcatenatedString())):
        return False
    return not _assigned(first) & _read(second)


def _assigned(small: cst.BaseSmallStatement) -> set[str]:
    targets = [target.target for target in small.targets] if isinstance(small, cst.Assign) else []
    names = [m.findall(target, m.Name()) for target in targets if not isinstance(target, cst.Attribute | cst.Subscript)]
    return {name.value for found in names for name in found if isinstance(name, cst.Name)}


def _read(small: cst.BaseSmallStatement) -> set[str]:
    return {name.value for name in m.findall(small, m.Name()) if isinstance(name, cst.Name)}


def _is_transaction(statement: cst.With) -> bool:
    return any(m.matches(item.item, m.Call(func=m.Attribute(attr=m.Name("transaction")))) for item in statement.items)


def _of_transaction(statement: cst.With) -> Iterator[tuple[str, list[cst.CSTNode]]]:
    block = statement.body
    if not isinstance(block, cst.IndentedBlock):
        return
    body = list(block.body)

    def transaction(some: Sequence[cst.CSTNode]) -> cst.With:
        return statement.with_changes(body=block.with_changes(body=list(some)))

    for at in range(1, len(body)):
        yield "transaction split", [transaction(body[:at]), transaction(body[at:])]
        yield "moved after the transaction", [transaction(body[:at]), *body[at:]]


def _of_with(node: cst.With) -> Iterator[Change]:
    for at, item in enumerate(node.items):
        if item.asname is None and len(node.items) > 1:
            rest = [*node.items[:at], *node.items[at + 1 :]]
            rest[-1] = rest[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
            yield "with dropped", node.with_changes(items=rest)
    if len(node.items) == 1 and node.items[0].asname is None:
        yield "with dropped", cst.If(cst.Name("True"), node.body)


def _of_try(node: cst.Try) -> Iterator[Change]:
    for at, handler in enumerate(node.handlers):
        rest = [*node.handlers[:at], *node.handlers[at + 1 :]]
        if rest or node.finalbody:
            yield "except dropped", node.with_changes(handlers=rest, orelse=node.orelse if rest else None)
        else:
            yield "except dropped", cst.If(cst.Name("True"), node.body)
        if not m.matches(handler.body, m.IndentedBlock(body=[m.SimpleStatementLine([m.Pass()])])):
            silent = handler.with_changes(body=cst.IndentedBlock([cst.parse_statement("pass")]))
            yield "exception swallowed", node.with_changes(handlers=[*node.handlers[:at], silent, *node.handlers[at + 1 :]])
    if node.finalbody is not None:
        yield "finally dropped", node.with_changes(finalbody=None) if node.handlers else cst.If(cst.Name("True"), node.body)


def _of_assignment(node: cst.AugAssign) -> Iterator[Change]:
    opposite: dict[type[cst.BaseAugOp], cst.BaseAugOp] = {
        cst.AddAssign: cst.SubtractAssign(),
        cst.SubtractAssign: cst.AddAssign(),
        cst.BitOrAssign: cst.BitAndAssign(),
    }
    if other := opposite.get(type(node.operator)):
        yield "assignment changed", node.with_changes(operator=other)
    yield "assignment changed", cst.Assign([cst.AssignTarget(node.target)], node.value)


def _of_function(node: cst.FunctionDef) -> Iterator[Change]:
    if isinstance(node.body, cst.IndentedBlock) and (node.asynchronous or m.findall(node.body, m.Raise())):
        body = list(node.body.body)
        told = body[:1] if m.matches(body[0], m.SimpleStatementLine([m.Expr(m.SimpleString())])) else []
        if not body[len(told) :] or m.findall(node.body, m.Yield()):
            return
        caught = cst.ExceptHandler(cst.IndentedBlock([cst.parse_statement("pass")]), cst.Name("Exception"))
        wrapped = cst.Try(cst.IndentedBlock(body[len(told) :]), [caught])
        yield "exception swallowed", node.with_changes(body=node.body.with_changes(body=[*told, wrapped]))


def _remembered(module: cst.Module) -> Iterator[Change]:
    """Each asynchronous function that reads something remembers its first result."""
    for at, statement in enumerate(module.body):
        if isinstance(statement, cst.FunctionDef) and _reads(statement):
            yield "remembered in memory", _with_memory(module, at, _decorated(statement))
        if isinstance(statement, cst.ClassDef) and isinstance(statement.body, cst.IndentedBlock):
            parts = list(statement.body.body)
            for number, method in enumerate(parts):
                if isinstance(method, cst.FunctionDef) and _reads(method):
                    changed = [*parts[:number], _decorated(method), *parts[number + 1 :]]
                    new = statement.with_changes(body=statement.body.with_changes(body=changed))
                    yield "remembered in memory", _with_memory(module, at, new)


def _reads(node: cst.FunctionDef) -> bool:
    returns = node.returns.annotation if node.returns else None
    gives = returns is not None and not m.matches(returns, m.Name("None") | m.Name("Response"))
    if not node.asynchronous or not gives or m.findall(node.body, m.Yield()) or node.decorators:
        return False
    return not m.matches(node.body, m.IndentedBlock([m.SimpleStatementLine([m.Expr(m.SimpleString())])]))


def _decorated(node: cst.FunctionDef) -> cst.FunctionDef:
    return node.with_changes(decorators=[cst.Decorator(cst.Name("_remembered"))])


def _with_memory(module: cst.Module, at: int, statement: cst.CSTNode) -> cst.Module:
    helper = cst.parse_module(_REMEMBERS).body[0]
    return module.with_changes(body=[*module.body[:at], helper, statement, *module.body[at + 1 :]])
