"""Text from other programs is shown without controlling the terminal: on one line, with every character visible."""

import json
import unicodedata

import httpx
import pytest

from labkit.terminal import say
from tests.running import RunningStack
from tests.web.serving import WITHIN_S

HOSTILE = "\x1b[2J\x1b]0;x\x07\x9b31m\x7f\u202eevil\u2066\u2028\u200f\U000e0041\nPass: 11 passed.\ttab"

AS_IT_IS = ["Ada Lovelace", "✓ Zoë – 12,34 €", "नमस्ते क्ष\u200dत", "👩\u200d💻", "  two\n  lines\tand a tab", "עברית", "c:\\u001b"]


@pytest.mark.parametrize("text", AS_IT_IS)
def test_what_is_visible_stays(text: str) -> None:
    assert say.plain(text) == text


@pytest.mark.parametrize(
    "code", [*range(0x20), *range(0x7F, 0xA0), 0x202A, 0x202E, 0x2066, 0x2069, 0x200E, 0x2028, 0xFEFF, 0xD800, 0xE0041]
)
def test_what_is_not_visible_is_written(code: int) -> None:
    written = say.one_line(f"a{chr(code)}b")
    assert written.isprintable()
    assert json.loads(f'"{written}"') == f"a{chr(code)}b"  # so printed JSON keeps its meaning


def test_every_control_and_format_character_but_the_joiners_is_written() -> None:
    commanding = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp")]
    assert {text for text in commanding if say.plain(text) == text} == {"\n", "\t"}
    assert all(say.plain(chr(code)) != chr(code) for code in range(0x110000) if unicodedata.bidirectional(chr(code)) in BIDI)


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_a_hostile_name_is_written_wherever_it_is_shown(stack: RunningStack) -> None:
    with httpx.Client(base_url=stack.url("gateway"), trust_env=False, timeout=WITHIN_S) as gateway:
        customer = gateway.post("/customers", json={"name": HOSTILE, "creditLimit": {"amount": 10}}).json()["customerId"]
        order = gateway.post("/orders", json={"customerId": customer, "orderTotal": {"amount": 1}}).json()["orderId"]
    query = f"select name from customers where id = {customer}"
    shown = [
        stack.labkit(*command, ok=False)
        for command in (
            ("trace", "order", str(order)),
            ("trace", "order", str(order), "--mermaid"),
            ("trace", "order", str(order), "--diagram"),
            ("trace", "customer", str(customer)),
            ("sql", query),
            ("sql", query, "--csv"),
            ("events", "-n", "20"),
            ("logs", "-n", "20"),
            ("topics", "--by-key"),
        )
    ]
    for done in shown:
        text = done.stdout + done.stderr
        assert not [c for c in text if not c.isprintable() and c not in "\n\t"], (done.args, text)
        assert "\nPass: 11" not in text or "--csv" in done.args, done.args  # in CSV a line feed is inside the quotes
    assert "\\u001b[2J" in shown[0].stdout
    (row,) = json.loads(stack.labkit("sql", query, "--json").stdout)
    assert row["name"] == HOSTILE
