"""labkit support: one file for the person who helps."""

from pathlib import Path

from labkit.doctor import support_bundle
from labkit.errors import ExitCode
from labkit.terminal import say


def support(stack_name: str, file: Path) -> ExitCode:
    """Write the file and list its contents. The file appears complete or not at all."""
    file = file.expanduser()
    support_bundle.refuse(file)
    data = support_bundle.collect(stack_name)
    support_bundle.write(file, data)
    inside = support_bundle.contents(data)
    width = max(len(name) for name, _ in inside)
    for name, size in inside:
        say.line(f"  {name:{width}}  {_size(size):>9}")
    say.line(f"\n{file}: {_size(len(data))}, without passwords, tokens and your name. Review it, then send it to the person who helps you.")
    return ExitCode.OK


def _size(count: int) -> str:
    return f"{count} bytes" if count < 10_000 else f"{count / 1e3:.0f} kB" if count < 10_000_000 else f"{count / 1e6:.0f} MB"
