"""What a person has to read stays small: the files of labkit, and what a learner reads of the services."""

import ast
import io
import statistics
import tokenize
from pathlib import Path

from tests.running import ROOT

LONGEST, MEDIAN = 350, 100  # lines of a file of labkit
READING_PATH = ("customers", "orders", "order_history", "relay", "gateway", "contracts", "messaging")
TO_READ = 2_500  # lines of code
_LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def lines_of_code(path: Path) -> int:
    """Lines that are not blank and not only a comment or a docstring."""
    text = path.read_text()
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _LAYOUT:
            found |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(found)


def test_no_file_of_labkit_is_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in (ROOT / "labkit").rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
    assert statistics.median(lengths.values()) < MEDIAN


def test_what_a_learner_reads_is_short() -> None:
    sizes = {room: sum(map(lines_of_code, (ROOT / "services" / room).rglob("*.py"))) for room in READING_PATH}
    assert sum(sizes.values()) <= TO_READ, sizes
