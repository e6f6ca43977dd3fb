"""`make cli-reference`: writes docs/cli.md from the command line's own definitions. A test compares the two."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from labkit.cli import app
from labkit.cli.error_boundary import JUDGING
from labkit.cli.groups import SECTIONS
from labkit.errors import ExitCode

FILE = Path(__file__).parents[1] / "docs" / "cli.md"

HEAD = """# The command line

<!-- Written by `make cli-reference` from the command line itself. Do not edit this page. -->

Every command explains itself: `labkit up --help`. Options follow the command's name, in any order. Parts in brackets are optional.
"""

# explained once, because many commands have them
SHARED = ("--json", "--name", "--yes")

EXIT_CODES = {
    ExitCode.OK: "The command did its work. For a command that judges: *pass*.",
    ExitCode.FAIL: "For a command that judges: *fail*. For any other: it cannot be done, and the message says what to do next.",
    ExitCode.UNKNOWN: "For a command that judges: *unknown*. Something prevents a verdict, and the message says what.",
    ExitCode.INTERRUPTED: "The command was interrupted.",
    ExitCode.USAGE: "Usage error: there is no such command, option, lab or component.",
    ExitCode.INTERNAL: "labkit itself failed, or its output could not be written.",
}


def main() -> None:
    FILE.write_text(reference(), encoding="utf-8")


def reference() -> str:
    """The text of docs/cli.md."""
    commands = {name: _command(name) for _, names in SECTIONS.values() for name in names}
    shared = _shared([each for command in commands.values() for each in _with_inner(command)])
    lines = [HEAD, *_contents(), "## Shared options\n", "\n".join(shared) + "\n"]
    for title, (_, names) in SECTIONS.items():
        lines.append(f"## {title}\n")
        for name in names:
            lines += _described(commands[name], f"labkit {name}", "###", shared)
    return "\n".join((*lines, *_exit_codes()))


def _command(name: str) -> Any:
    root: Any = typer.main.get_command(app)
    return root.get_command(root.make_context("labkit", [], resilient_parsing=True), name)


def _with_inner(command: Any) -> list[Any]:
    return [command, *getattr(command, "commands", {}).values()]


def _contents() -> Iterator[str]:
    yield "- [Shared options](#shared-options)"
    for title, (_, names) in SECTIONS.items():
        yield f"- [{title}](#{title.lower()}): " + ", ".join(f"[{name}](#labkit-{name})" for name in names)
    yield "- [Exit codes](#exit-codes)\n"


def _shared(commands: list[Any]) -> list[str]:
    """The line of each shared option, in its most frequent form."""
    lines = [(option.opts[0], _option(option)) for command in commands for option in _parameters(command, "option")]
    found = [[line for name, line in lines if name == shared] for shared in SHARED]
    return [max(each, key=each.count) for each in found]


def _parameters(command: Any, kind: str) -> list[Any]:
    return [p for p in command.params if p.param_type_name == kind and not p.hidden]


def _described(command: Any, words: str, mark: str, shared: list[str]) -> Iterator[str]:
    """One command, then its subcommands. A group's arguments precede the name of the subcommand."""
    arguments, options, inner = _parameters(command, "argument"), _parameters(command, "option"), getattr(command, "commands", {})
    before = " ".join((words, *map(_usage_of, arguments)))
    verb = [] if not inner else ["[VERB]"] if command.invoke_without_command else ["VERB"]
    yield f"{mark} {words}\n"
    yield f"```\n{' '.join((before, *verb, *(['[OPTION]...'] if options else [])))}\n```\n"
    yield f"{' '.join(command.help.split())}\n"
    lines = [f"- `{p.metavar}`: {p.help}" for p in arguments if p.help]
    lines += [line for line in map(_option, options) if line not in shared]
    also = ", ".join(sorted(f"`{option.opts[0]}`" for option in options if _option(option) in shared))
    if also:
        lines.append(f"- Shared: {also}")
    if lines:
        yield "\n".join(lines) + "\n"
    if command.epilog:
        kind, _, example = command.epilog.partition(": ")
        yield f"{kind}: `{example}`\n"
    for name, each in inner.items():
        yield from _described(each, f"{before} {name}", f"{mark}#", shared)


def _usage_of(argument: Any) -> str:
    name: str = argument.metavar
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _option(option: Any) -> str:
    """The option's names and help, then its possible values and its default."""
    names = "/".join((", ".join(option.opts), *option.secondary_opts))
    facts = [_bounds(option.type)] if getattr(option.type, "min", None) is not None else []
    if option.multiple and "repeated" not in (option.help or ""):
        facts.append("may be repeated")
    if option.default and not option.is_flag and option.show_default:
        facts.append(f"default: `{option.default:g}`" if isinstance(option.default, float) else f"default: `{option.default}`")
    if option.envvar:
        facts.append(f"environment: `{option.envvar}`")
    meaning = " ".join(filter(None, (option.help, f"({'; '.join(facts)})" if facts else "")))
    named = f"- `{names}`" if option.is_flag else f"- `{names} {option.metavar}`"
    return f"{named}: {meaning}" if meaning else named


def _bounds(kind: Any) -> str:
    return f"at least {kind.min:g}" if kind.max is None else f"{kind.min:g} to {kind.max:g}"


def _exit_codes() -> Iterator[str]:
    judging = ", ".join(f"`labkit {name}`" for name in sorted(JUDGING))
    yield "## Exit codes\n"
    yield f"Commands that judge are {judging} and `labkit lab N check`.\n"
    yield "| code | meaning |\n|---|---|"
    for code in ExitCode:
        yield f"| {int(code)} | {EXIT_CODES[code]} |"
    yield ""


if __name__ == "__main__":
    main()
