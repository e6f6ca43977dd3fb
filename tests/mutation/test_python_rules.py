"""Each rule for Python, and for SQL inside Python, makes its mistake."""

import pytest

from tests.mutation.making import changes, is_made, made

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


@pytest.mark.parametrize(("source", "rule", "line"), PYTHON)
def test_in_python(source: str, rule: str, line: str) -> None:
    assert is_made(source, "services/shop/app.py", rule, line), [(m.rule, changes(m, source)) for m in made(source)]


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
