"""The guides as one self-contained HTML page, which loads nothing from the network and can be printed."""

from collections.abc import Sequence
from html import escape

from labkit.catalog import guide
from labkit.terminal import colours
from labkit.workspace.lab_status import LabStatus
from labkit.workspace.progress import AFTER_SOLUTION, PASSED


def page(labs: Sequence[LabStatus]) -> str:
    """Return the page, with the checks that have passed so far marked."""
    title = labs[0].lab.title if len(labs) == 1 else "The labs"
    contents = "".join(_contents(now) for now in labs)
    return "\n".join(
        [
            "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
            f"<title>{escape(title)}</title><style>{colours.css()}{_STYLE}</style>",
            f"<nav><details open><summary>Contents</summary><ol>{contents}</ol></details></nav><main>",
            *(_lab(now) for now in labs),
            f"</main><script>{_SCRIPT}</script></html>",
        ]
    )


def _contents(now: LabStatus) -> str:
    sections = guide.sections(now.lab)
    inner = "".join(
        f"<li><a href='#{_anchor(now, n)}'>{escape(section.title)}</a>{_mark(section, now)}</li>"
        for n, section in enumerate(sections)
        if n or section.ids
    )
    return f"<li value='{now.lab.number}'><a href='#lab-{now.lab.number}'>{escape(now.lab.title)}</a><ul>{inner}</ul></li>"


def _lab(now: LabStatus) -> str:
    lab = now.lab
    patterns = ", ".join(f"<a href='{escape(p.url, quote=True)}'>{escape(p.name)}</a>" for p in lab.patterns)
    about = " · ".join(filter(None, (f"{lab.minutes} min", patterns)))
    sections = "".join(
        f"<section id='{_anchor(now, n)}'>{_html(section.text)}{_mark(section, now)}</section>"
        for n, section in enumerate(guide.sections(lab))
    )
    return f"<article id='lab-{lab.number}'><p class='about'>Lab {lab.number} · {about}</p>{sections}</article>"


def _anchor(now: LabStatus, section: int) -> str:
    return f"lab-{now.lab.number}-{section}"


def _mark(section: guide.Section, now: LabStatus) -> str:
    passed = [check for check in section.ids if now.checks.get(check) in (PASSED, AFTER_SOLUTION)]
    return f"<span class='passed'> ✓ {escape(', '.join(passed))} passed</span>" if passed else ""


def _html(text: str) -> str:
    """Return a guide's Markdown as HTML. Raw HTML in it is shown as text, not rendered."""
    from markdown_it import MarkdownIt

    rendered: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return rendered.replace('<pre><code class="language-stack">', '<pre class="picture"><code>')


_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; margin: 0; padding-right: 1rem;
  display: grid; grid-template-columns: 17rem minmax(0, 58rem); gap: 2.5rem; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; border-right: 1px solid var(--line); font-size: 0.9rem; }
nav summary { padding: 0.7rem 1rem; }
nav ul { list-style: none; padding-left: 0.5rem; } nav li { margin: 0.35rem 0; } a { color: var(--link); } nav a { text-decoration: none; }
p, li, h1, h2 { max-width: 46rem; }
article + article { border-top: 1px solid var(--line); margin-top: 3rem; }
.about, .passed { color: var(--quiet); font-size: 0.9rem; } .passed { color: var(--good); }
.block { position: relative; }
pre { background: var(--panel); padding: 0.7rem 1rem; overflow: auto; border-radius: 6px; line-height: 1.35; font-size: 0.92rem; }
pre.picture { font-size: 0.8rem; line-height: 1.2; }
code { font-family: ui-monospace, monospace; font-size: 1em; } p code, li code { font-size: 0.92em; }
.copy { position: absolute; top: 0.4rem; right: 0.4rem; font: inherit; font-size: 0.8rem; cursor: pointer; }
table { border-collapse: collapse; } td, th { border: 1px solid var(--line); padding: 0.25rem 0.6rem; text-align: left; }
@media (max-width: 60rem) {
  body { display: block; padding: 0 1rem; } nav { position: static; height: auto; border: 0; }
  nav summary { padding: 0.7rem 0; } pre.picture { font-size: min(0.8rem, 2vw); }
}
@media print { nav, .copy { display: none; } body { display: block; } section { break-inside: avoid-page; } }
"""

# Adds a copy button to each block of commands. On a narrow screen, the contents start closed.
_SCRIPT = """
for (const pre of document.querySelectorAll("pre:not(.picture)")) {
  const button = document.createElement("button"), block = document.createElement("div");
  button.className = "copy"; button.type = "button"; button.textContent = "copy"; block.className = "block";
  pre.replaceWith(block); block.append(pre, button);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent.trim());
      button.textContent = "copied";
    } catch {  // not every browser lets a page do that: then it is one key
      getSelection().selectAllChildren(pre);
      button.textContent = "press Ctrl-C";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
}
if (matchMedia("(max-width: 60rem)").matches) document.querySelector("nav details").open = false;
"""
