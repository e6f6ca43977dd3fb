"""Each rule makes its mistake, and what is for people is left alone."""

import ast
from textwrap import dedent

import pytest
import tree_sitter_lua
import yaml
from tree_sitter import Language, Parser

from labkit.mutation.generate import mutants_of
from tests.mutation.making import changes, made
from tests.running import ROOT

# source, rule, and a line that must be among those that differ: `+` what it becomes, `-` what is no longer there
PYTHON = [
    ("a = b < c", "comparison changed", "+ a = b <= c"),
    ("a = b < c", "comparison changed", "+ a = b > c"),
    ("a = b >= c", "comparison changed", "+ a = b > c"),
    ("a = b == c", "comparison changed", "+ a = b != c"),
    ("a = b is None", "comparison changed", "+ a = b is not None"),
    ("a = b not in c", "comparison changed", "+ a = b in c"),
    ("a = 0 < b <= c", "comparison changed", "+ a = 0 <= b <= c"),
    ("a = b + c", "arithmetic changed", "+ a = b - c"),
    ("a = b // c", "arithmetic changed", "+ a = b * c"),
    ("a = b and c", "and/or changed", "+ a = (b or c)"),
    ("a = b and c or d", "and/or changed", "+ a = (b or c) or d"),
    ("a = b or c", "condition dropped", "+ a = b"),
    ("a = b or c", "condition dropped", "+ a = c"),
    ("a = not b", "not dropped", "+ a = b"),
    ("if a:\n    b()", "condition is always True", "+ if True:"),
    ("if a:\n    b()", "condition is always False", "+ if False:"),
    ("a = b if c else d", "condition is always False", "+ a = b if False else d"),
    ("while a:\n    b()", "condition is always False", "+ while False:"),
    ("a = [b for b in c if b > 1]", "filter dropped", "+ a = [b for b in c]"),
    ("a = 5", "number changed", "+ a = 6"),
    ("a = 5", "number changed", "+ a = 4"),
    ("a = 1_000", "number changed", "+ a = 1001"),
    ("a = True", "true/false changed", "+ a = False"),
    ('a = "PENDING"', "text changed", '+ a = "PENDINGX"'),
    ('a = b"PENDING"', "text changed", '+ a = b"PENDINGX"'),
    ('a = f"order:{b}"', "text changed", '+ a = f"order:{b}X"'),
    ("async def a():\n    b = await c()\n    return b", "await dropped", "+ b = c()"),
    ("a(b, key=c, other=d)", "argument dropped", "+ a(b, other=d)"),
    ("a(b, key=c, other=d)", "argument dropped", "+ a(b, key=c)"),
    ("a(b, c, d)", "arguments swapped", "+ a(c, b, d)"),
    ("a(b, c, d)", "arguments swapped", "+ a(b, d, c)"),
    ("a(b, c, *d, e=f)", "arguments swapped", "+ a(c, b, *d, e=f)"),
    ("a = min(b, c)", "min becomes max", "+ a = max(b, c)"),
    ("a = all(b)", "all becomes any", "+ a = any(b)"),
    ("a = sorted(b, key=c)", "order dropped", "+ a = list(b)"),
    ("a = [b, c]", "entry dropped", "+ a = [c]"),
    ("a = {b: 1, c: 2}", "entry dropped", "+ a = {b: 1, }"),
    ("a = b, c", "entries swapped", "+ a = c, b"),
    ("@app.on(Created)\ndef a(b):\n    return b", "handler dropped", "- @app.on(Created)"),
    # statements
    ("def a():\n    b()\n    c()", "statement dropped", "- b()"),
    ("def a():\n    b()", "statement dropped", "+ pass"),
    ("def a():\n    b.c = d\n    return b", "statement dropped", "- b.c = d"),
    ("def a(b):\n    return b", "statement dropped", "+ pass"),
    ("def a(b):\n    if b:\n        raise ValueError\n    return 1", "statement dropped", "+ pass"),
    ("for a in b:\n    if a:\n        continue\n    c(a)", "statement dropped", "+ pass"),
    ("def a(c):\n    for b in c:\n        d(b)\n    e()", "statement dropped", "- for b in c:"),
    ("def a():\n    b()\n    c = 1\n    return c", "statement doubled", "+ b()"),
    ("async def a():\n    await b()\n    c = 1\n    return c", "statement doubled", "+ await b()"),
    ("def a():\n    b()\n    c()", "statements swapped", "+ c()"),
    ("def a(b):\n    b += 1\n    return b", "assignment changed", "+ b -= 1"),
    ("def a(b):\n    b += 1\n    return b", "assignment changed", "+ b = 1"),
    ("with a():\n    b()", "with dropped", "+ if True:"),
    ("with a(), b():\n    c()", "with dropped", "+ with b():"),
    ("with a(), b():\n    c()", "with dropped", "+ with a():"),
    ("try:\n    a()\nexcept ValueError:\n    b()", "except dropped", "- except ValueError:"),
    ("try:\n    a()\nexcept ValueError:\n    b()\nexcept KeyError:\n    c()", "except dropped", "- except ValueError:"),
    ("try:\n    a()\nexcept ValueError:\n    b()", "exception swallowed", "+ pass"),
    ("def a(b):\n    if b:\n        raise ValueError", "exception swallowed", "+ except Exception:"),
    ("async def a(b):\n    await b()", "exception swallowed", "+ except Exception:"),
    ("try:\n    a()\nfinally:\n    b()", "finally dropped", "- finally:"),
    ("async def a() -> int:\n    return await b()", "remembered in memory", "+ @_remembered"),
    ("class A:\n    async def a(self) -> int:\n        return await b()", "remembered in memory", "+ @_remembered"),
    # SQL
    ('a = "SELECT SUM(b) FROM c"', "SQL: SUM becomes MAX", '+ a = "SELECT MAX(b) FROM c"'),
    ('a = "SELECT MAX(b) FROM c"', "SQL: MAX becomes MIN", '+ a = "SELECT MIN(b) FROM c"'),
    ('a = "SELECT b FROM c WHERE d = %s"', "SQL: = becomes >=", '+ a = "SELECT b FROM c WHERE d >= %s"'),
    ('a = "SELECT b FROM c WHERE d <= %s"', "SQL: <= becomes <", '+ a = "SELECT b FROM c WHERE d < %s"'),
    ('a = "SELECT b FROM c WHERE d = %s AND e = 1"', "SQL: AND and OR changed", '+ a = "SELECT b FROM c WHERE d = %s OR e = 1"'),
    ('a = "SELECT b FROM c WHERE d = %s"', "SQL: condition dropped", '+ a = "SELECT b FROM c WHERE (d = %s OR 1 = 1)"'),
    (
        'a = "SELECT b FROM c WHERE (d = 1 OR e = 2) AND f IN (%s) LIMIT 3"',
        "SQL: condition dropped",
        '+ a = "SELECT b FROM c WHERE ((d = 1 OR e = 2) OR 1 = 1) AND f IN (%s) LIMIT 3"',
    ),
    ('a = "INSERT INTO b VALUES (%s)"', "SQL: INSERT becomes INSERT IGNORE", '+ a = "INSERT IGNORE INTO b VALUES (%s)"'),
    ('a = "INSERT INTO b VALUES (%s)"', "SQL: INSERT becomes REPLACE", '+ a = "REPLACE INTO b VALUES (%s)"'),
    ('a = "INSERT IGNORE INTO b VALUES (%s)"', "SQL: IGNORE dropped", '+ a = "INSERT INTO b VALUES (%s)"'),
    (
        'a = "INSERT INTO b VALUES (%s) ON DUPLICATE KEY UPDATE c = %s"',
        "SQL: ON DUPLICATE dropped",
        '+ a = "INSERT INTO b VALUES (%s) "',
    ),
    ('a = "SELECT b FROM c ORDER BY d LIMIT 5"', "SQL: order reversed", '+ a = "SELECT b FROM c ORDER BY d DESC LIMIT 5"'),
    ('a = "SELECT b FROM c ORDER BY c.d"', "SQL: order reversed", '+ a = "SELECT b FROM c ORDER BY c.d DESC"'),
    ('a = "SELECT b FROM c ORDER BY d DESC"', "SQL: order reversed", '+ a = "SELECT b FROM c ORDER BY d"'),
    ('a = "SELECT b FROM c ORDER BY d LIMIT 5"', "SQL: ORDER BY dropped", '+ a = "SELECT b FROM c LIMIT 5"'),
    ('a = "SELECT b FROM c ORDER BY d LIMIT 5"', "SQL: LIMIT dropped", '+ a = "SELECT b FROM c ORDER BY d "'),
    ('a = "SELECT b FROM c WHERE d = 1 FOR UPDATE"', "SQL: FOR UPDATE dropped", '+ a = "SELECT b FROM c WHERE d = 1 "'),
    ('a = "SELECT b, SUM(c) FROM d GROUP BY b"', "SQL: GROUP BY dropped", '+ a = "SELECT b, SUM(c) FROM d "'),
    ('a = "SELECT DISTINCT b FROM c"', "SQL: DISTINCT dropped", '+ a = "SELECT b FROM c"'),
    ('a = "UPDATE b SET c = c + 1"', "SQL: + becomes -", '+ a = "UPDATE b SET c = c - 1"'),
    ('a = "UPDATE b SET c = 0 WHERE d = 1"', "SQL: number changed", '+ a = "UPDATE b SET c = 1 WHERE d = 1"'),
    ("a = \"UPDATE b SET c = 'PENDING'\"", "SQL: text changed", "+ a = \"UPDATE b SET c = 'PENDINGX'\""),
    # SQL in an f-string, in a text of several lines, and in several literals
    (
        'a = f"SELECT {b} FROM c WHERE d IN ({e}) ORDER BY d"',
        "SQL: order reversed",
        '+ a = f"SELECT {b} FROM c WHERE d IN ({e}) ORDER BY d DESC"',
    ),
    ('a = f"SELECT {b} FROM c WHERE d = {e}"', "SQL: condition dropped", '+ a = f"SELECT {b} FROM c WHERE (d = {e} OR 1 = 1)"'),
    ('a = """\n    SELECT b FROM c\n    WHERE d > 3\n"""', "SQL: > becomes >=", "+ WHERE d >= 3"),
    ('a = (\n    "SELECT b FROM c "\n    "WHERE d = %s"\n)', "SQL: = becomes <>", '+ "WHERE d <> %s"'),
    (
        'a = (\n    "INSERT INTO b (c) "\n    f"VALUES ({d}) "\n    "ON DUPLICATE KEY UPDATE c = 4"\n)',
        "SQL: number changed",
        '+ "ON DUPLICATE KEY UPDATE c = 5"',
    ),
    ('a = (\n    "SELECT b FROM c"\n    " WHERE d = 1"\n    " AND e = 2"\n)', "SQL: number changed", '+ " AND e = 3"'),
]

TRANSACTION = """
async def approve(self, order):
    async with self.database.transaction("order.approve") as tx:
        store.change(tx, order)
        tx.publish(order)
    return order
"""

LUA = [
    ("a()", "statement dropped", "+ do end"),
    ("local a = 1\na = 2", "statement dropped", "+ do end"),
    ("redis.call('DEL')", "statement doubled", "+ redis.call('DEL'); redis.call('DEL')"),
    ("local a = b == c", "== becomes ~=", "+ local a = b ~= c"),
    ("local a = b < c", "< becomes <=", "+ local a = b <= c"),
    ("local a = b and c", "and becomes or", "+ local a = b or c"),
    ("local a = b and c", "condition dropped", "+ local a = c"),
    ("local a = b + 1", "+ becomes -", "+ local a = b - 1"),
    ("local a = not b", "not dropped", "+ local a = b"),
    ("if a then b() end", "condition is always true", "+ if true then b() end"),
    ("if a then b() elseif c then d() end", "condition is always false", "+ if a then b() elseif false then d() end"),
    ("local a = 3", "number changed", "+ local a = 4"),
    ("local a = 3", "number changed", "+ local a = 2"),
    ("redis.call('SADD', a)", "text changed", "+ redis.call('SADDX', a)"),
    ("local a = {b = 1, c = 2}", "entry dropped", "+ local a = { c = 2}"),
    ("a(b, c)", "arguments swapped", "+ a(c, b)"),
    ("a('ä', b, 3)", "arguments swapped", "+ a('ä', 3, b)"),
]

SAGA = """\
steps:
  - trigger: OrderCreated
    publishes: [Reserved, Refused]

  - trigger: Reserved
    publishes: []
"""

YAML = [
    ("value changed", "+ - trigger: Refused"),
    ("entry dropped", "- - trigger: OrderCreated"),
    ("entry dropped", "- - trigger: Reserved"),
    ("entry dropped", "+ publishes: [Reserved]"),
    ("entry dropped", "+ publishes: [Refused]"),
    ("entry doubled", "+ - trigger: OrderCreated"),
    ("entry doubled", "+ - trigger: Reserved"),
]


def is_made(source: str, path: str, rule: str, line: str) -> bool:
    return any(mutant.rule == rule and line in changes(mutant, source) for mutant in made(source, path))


@pytest.mark.parametrize(("source", "rule", "line"), PYTHON)
def test_in_python(source: str, rule: str, line: str) -> None:
    assert is_made(source, "services/shop/app.py", rule, line), [(m.rule, changes(m, source)) for m in made(source)]


@pytest.mark.parametrize(("source", "rule", "line"), LUA)
def test_in_lua(source: str, rule: str, line: str) -> None:
    assert is_made(source, "services/shop/write.lua", rule, line)


@pytest.mark.parametrize(("rule", "line"), YAML)
def test_in_yaml(rule: str, line: str) -> None:
    assert is_made(SAGA, "saga.yml", rule, line)


def test_a_transaction_is_split_and_its_end_is_moved_after_it() -> None:
    found = {mutant.rule: mutant.content for mutant in made(TRANSACTION)}
    within = '    async with self.database.transaction("order.approve") as tx:\n'
    store, publish = "store.change(tx, order)\n", "tx.publish(order)\n"
    assert f"{within}        {store}{within}        {publish}" in found["transaction split"]
    assert f"{within}        {store}    {publish}" in found["moved after the transaction"]


def test_a_condition_that_several_rules_change_stays_right_around_them() -> None:
    source = "a = b or (c and d)"
    assert is_made(source, "a.py", "and/or changed", "+ a = b or (c or d)")
    assert is_made(source, "a.py", "condition dropped", "+ a = b or c")


CONTRACTS = """
class Created: ...

class Cancelled: ...
"""
ORDER = """
class State(Enum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"

class Order:
    id: int
    customer_id: int
    total: Decimal

    @property
    def left(self) -> Decimal:
        return self.total - 1

    @property
    def aggregate_id(self) -> int:
        return self.id
"""
USES = """
from services.contracts.orders import Created, Cancelled, MAX

def a(order: Order, state: State):
    publish(Created(order.id, order.total, State.PENDING))
    publish(Cancelled)
"""


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("another member", "+ publish(Created(order.id, order.total, State.APPROVED))"),
        ("another field", "+ publish(Created(order.customer_id, order.total, State.PENDING))"),
        ("another field", "+ publish(Created(order.id, order.left, State.PENDING))"),
        ("another event", "+ publish(Cancelled(order.id, order.total, State.PENDING))"),
    ],
)
def test_names_of_the_same_kind_are_mistaken_for_each_other(rule: str, line: str) -> None:
    found = made(USES, domain=ORDER, contracts=CONTRACTS)
    assert any(mutant.rule == rule and line in changes(mutant, USES) for mutant in found)


def test_a_field_of_another_type_is_not_mistaken_for_it() -> None:
    lines = [line for mutant in made(USES, domain=ORDER) if mutant.rule == "another field" for line in changes(mutant, USES)]
    assert lines
    assert not any("Created(order.total" in line or "order.id, order.id" in line for line in lines)


@pytest.mark.parametrize(
    "source",
    [
        '"""Place orders."""',
        'def a():\n    """Place"""',
        'class A:\n    """Orders"""\n',
        "def a(b: Literal[1]) -> Literal[2]: ...",
        'a: "Order"',
        "from a import b\nimport c",
        "log('order', 17)",
        "log('order', number=17, is_new=True)",
        "def a(b):\n    assert b > 3\n",
        '@dataclass(frozen=True)\nclass A:\n    """Orders"""\n',
        "@property\ndef a(self): ...",
        'a = "The order is over."',
        'a = ("The order " "is" "over")',
        'a = f"Order {b} is over."',
        "if TYPE_CHECKING:\n    from a import b",
        "a = b",
    ],
)
def test_what_is_for_people_is_left_alone(source: str) -> None:
    assert [(mutant.rule, changes(mutant, source)) for mutant in made(source)] == []


def test_a_log_call_is_neither_dropped_nor_doubled_nor_changed() -> None:
    source = 'def a(b):\n    log("taken", b, 1)\n    c(b)\n'
    kept = [mutant for mutant in made(source) if mutant.rule != "statements swapped"]
    assert kept
    assert all('    log("taken", b, 1)\n' in mutant.content for mutant in kept)


def test_a_dropped_assignment_to_a_name_is_no_mutant() -> None:
    """The name would be missing: that says nothing about the checks."""
    assert not [m for m in made("def a():\n    b = c()\n    return b") if "b = c()" not in m.content]


def test_statements_that_need_each_other_are_not_swapped() -> None:
    assert not [m for m in made("def a():\n    b = c()\n    d(b)") if m.rule == "statements swapped"]


def test_a_comment_and_the_layout_around_a_mistake_stay() -> None:
    source = dedent(
        """
        # of the shop

        a = {  # of orders
            1: b,   # first

            2: c }

        """
    )
    content = {mutant.content for mutant in made(source) if mutant.rule == "number changed"}
    assert source.replace("2: c", "3: c") in content


def test_files_of_other_languages_have_none() -> None:
    assert mutants_of({"services/shop/schema.sql": b"SELECT 1"}, ["services/shop/schema.sql"]) == []


@pytest.mark.parametrize("source", ["", "\n\n", "# nothing\n"])
def test_a_file_without_code_has_none(source: str) -> None:
    assert made(source) == []


# of a real file of each language

FILES = (
    "services/orders/app.py",
    "services/customers/store.py",
    "services/order_history/apply_event.lua",
    "labs/02-choreography-saga/solution/saga.yml",
)


@pytest.mark.parametrize("path", FILES)
def test_every_mutant_differs_and_can_be_read(path: str) -> None:
    text = (ROOT / path).read_text()
    mutants = mutants_of({path: text.encode()}, [path])
    assert len(mutants) > 30
    assert text not in {mutant.content for mutant in mutants}
    assert len({mutant.content for mutant in mutants}) == len({mutant.id for mutant in mutants}) == len(mutants)
    for mutant in mutants:
        assert_readable(path, mutant.content)
        assert mutant.content.splitlines()[: mutant.line - 1] == text.splitlines()[: mutant.line - 1]


def assert_readable(path: str, content: str) -> None:
    if path.endswith(".py"):
        compile(ast.parse(content), path, "exec")
    elif path.endswith(".lua"):
        assert not Parser(Language(tree_sitter_lua.language())).parse(content.encode()).root_node.has_error
    else:
        assert isinstance(yaml.safe_load(content), dict)


# ids

SHOP = """
LIMIT = 10

def first(a):
    return a + 1

class Api:
    def second(self, b):
        return b + 2

    def third(self, c):
        return c + 3
"""


def ids(source: str, of: str) -> set[str]:
    return {mutant.id for mutant in made(source) if mutant.before.strip().startswith(f"def {of}(")}


@pytest.mark.parametrize("name", ["first", "second", "third"])
def test_an_id_stays_when_other_parts_of_the_file_change(name: str) -> None:
    others = {"LIMIT = 10": "LIMIT = 11\nMORE = 3", "a + 1": "a + 1 - 0", "b + 2": "b + 2 - 0", "c + 3": "c + 3 - 0"}
    own = {"first": "a + 1", "second": "b + 2", "third": "c + 3"}[name]
    for old, new in others.items():
        changed = SHOP.replace(old, new)
        assert ids(SHOP, name)
        if old == own:
            assert not ids(SHOP, name) & ids(changed, name)
        else:
            assert ids(SHOP, name) == ids(changed, name)


def test_an_id_is_of_its_file() -> None:
    one, other = made(SHOP, "services/shop/app.py"), made(SHOP, "services/stock/app.py")
    assert len(one) == len(other) > 0
    assert not {mutant.id for mutant in one} & {mutant.id for mutant in other}


def test_mutants_come_in_the_order_of_files_and_lines() -> None:
    tree = {"b.py": SHOP.encode(), "a.py": SHOP.encode()}
    found = [(mutant.path, mutant.line) for mutant in mutants_of(tree, ["b.py", "a.py"])]
    assert found == sorted(found, key=lambda each: (each[0] != "b.py", each[1]))
    assert {path for path, _ in found} == {"a.py", "b.py"}


def test_another_name_for_a_field_is_no_mistake() -> None:
    assert not [line for mutant in made(USES, domain=ORDER) for line in changes(mutant, USES) if "aggregate_id" in line]
