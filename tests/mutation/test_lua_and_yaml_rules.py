"""Each rule for Lua and for YAML makes its mistake."""

import pytest

from tests.mutation.making import is_made

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


@pytest.mark.parametrize(("source", "rule", "line"), LUA)
def test_in_lua(source: str, rule: str, line: str) -> None:
    assert is_made(source, "services/shop/write.lua", rule, line)


@pytest.mark.parametrize(("rule", "line"), YAML)
def test_in_yaml(rule: str, line: str) -> None:
    assert is_made(SAGA, "saga.yml", rule, line)
