"""The colours of the pages are readable in both schemes."""

import re

import pytest

from labkit.terminal import colours
from labkit.verdict import page
from labkit.workspace import guide_page


def luminance(colour: str) -> float:
    """The relative luminance of #rrggbb, as WCAG 2.2 defines it."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [colours.LIGHT, colours.DARK], ids=["light", "dark"])
def test_text_and_marks_stand_out(scheme: dict[str, str]) -> None:
    text = {(name, on): contrast(scheme[name], scheme[on]) for name in colours.TEXT for on in ("paper", "panel")}
    assert {pair: ratio for pair, ratio in text.items() if ratio < 4.5} == {}
    assert {name for name in colours.MARKS if contrast(scheme[name], scheme["paper"]) < 3} == set()


@pytest.mark.parametrize("style", [page._STYLE, guide_page._STYLE], ids=["verify", "guide"])
def test_a_page_has_no_other_colours(style: str) -> None:
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb", style) == []
    assert set(re.findall(r"var\(--(\w+)\)", style)) <= set(colours.LIGHT)
