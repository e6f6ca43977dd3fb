"""The colours of labkit's pages by purpose, in a light and a dark scheme.

Text has a contrast of at least 4.5 on `paper` and on `panel` (WCAG 2.2, 1.4.3), a mark of at least 3 on `paper` (1.4.11).
"""

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f3f4f6",
    "line": "#d3d7de",
    "ink": "#1d2330",
    "quiet": "#57606a",
    "good": "#1a7048",
    "bad": "#b3261e",
    "unsure": "#8a5a00",
    "link": "#0a58ca",
    "client": "#7a5195",
    "write": "#2f6fb3",
    "event": "#1f8a5f",
    "record": "#b8720f",
    "received": "#6c757d",
    "view": "#b0457b",
    "band": "#e4572e",
}
DARK = {
    "paper": "#15181e",
    "panel": "#1f242d",
    "line": "#3a4150",
    "ink": "#e6e8ec",
    "quiet": "#a0a8b2",
    "good": "#5fd3a0",
    "bad": "#ff8a80",
    "unsure": "#f0b429",
    "link": "#8ab4ff",
    "client": "#b48ad0",
    "write": "#6aa5e3",
    "event": "#4cc38f",
    "record": "#e8a33d",
    "received": "#9aa3ad",
    "view": "#e07bad",
    "band": "#ff7a55",
}
TEXT = ("ink", "quiet", "good", "bad", "unsure", "link")
MARKS = ("client", "write", "event", "record", "received", "view", "band")


def css() -> str:
    """Return the colours as CSS variables, such as `var(--ink)`, which follow the reader's scheme."""
    light, dark = ("".join(f"--{name}:{colour};" for name, colour in scheme.items()) for scheme in (LIGHT, DARK))
    return (
        f":root{{color-scheme:light dark;{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
        "body{background:var(--paper);color:var(--ink)}"
    )
