"""Every mutant can be read, and has an id of its own."""

import ast

import pytest
import tree_sitter_lua
import yaml
from tree_sitter import Language, Parser

from labkit.mutation.generate import mutants_of
from tests.mutation.making import made
from tests.running import ROOT

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
