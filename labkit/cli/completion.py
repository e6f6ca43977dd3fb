"""labkit completion: the script that a shell sources, and the candidates for each press of Tab.

Candidates are current: labs, checks, components, faults that are set, stacks, snapshots.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from labkit.errors import ExitCode, UserError
from labkit.terminal import say

SCRIPTS = {
    "bash": """_labkit() {
    local IFS=$'\\n'
    COMPREPLY=($(labkit completion bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _labkit labkit
""",
    "zsh": """#compdef labkit
_labkit() {
    local -a found
    found=("${(@f)$(labkit completion zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then _describe labkit found; else _files; fi
}
compdef _labkit labkit
""",
    "fish": """complete --command labkit --arguments '(labkit completion fish -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
""",
}
WHERE = {
    "bash": "echo 'source <(labkit completion bash)' >>~/.bashrc",
    "zsh": "echo 'source <(labkit completion zsh)' >>~/.zshrc",
    "fish": "labkit completion fish >~/.config/fish/completions/labkit.fish",
}

Found = list[tuple[str, str]]
"""Values, each with a short description."""


def completion(shell: str, words: Sequence[str], root: Any) -> ExitCode:
    """Without words, print the script. With words, print what the last, unfinished word may become. Never fails: a shell would show the
    error."""
    if shell not in SCRIPTS:
        message = f"There is no completion for {shell!r}, only for {', '.join(SCRIPTS)}."
        raise UserError(message, "labkit completion bash", exit_code=ExitCode.USAGE)
    if not words:
        say.raw(SCRIPTS[shell].rstrip())
        say.raw(f"# To enable it in every new shell: {WHERE[shell]}")
        return ExitCode.OK
    found: Found = []
    with suppress(Exception):
        found = candidates(root, words[:-1], words[-1])
    for value, meaning in found:
        say.raw(_written(shell, value, meaning))
    return ExitCode.OK


def _written(shell: str, value: str, meaning: str) -> str:
    if shell == "bash" or not meaning:
        return value
    return f"{value}\t{meaning}" if shell == "fish" else f"{value.replace(':', chr(92) + ':')}:{meaning}"


def candidates(root: Any, words: Sequence[str], begun: str) -> Found:
    """Return the completions of the unfinished word `begun` after these words."""
    command, given, wanted = _walked(root, words)
    if wanted is not None:
        found = _values(wanted, given)
    elif begun.startswith("-"):
        found = [(name, option.help or "") for option in command.params for name in option.opts if name.startswith("--")]
    elif (argument := _argument(command, given)) is not None:
        found = _values(argument, given)
    else:
        names = command.list_commands(None) if hasattr(command, "list_commands") else []
        found = [(name, _help(command, name)) for name in names]
    return [(value, meaning) for value, meaning in found if value.startswith(begun)]


class _Given:
    """What was typed so far: values by the names of options and arguments, and the number of arguments of the last command."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.count = 0


def _walked(root: Any, words: Sequence[str]) -> tuple[Any, _Given, Any]:
    """Return the command that the words lead to, the values that they give, and the option whose value comes next, if any."""
    command, given, wanted = root, _Given(), None
    for word in words:
        if wanted is not None:
            given.values[wanted.name], wanted = word, None
        elif word.startswith("-"):
            option = next((each for each in command.params if word in each.opts), None)
            wanted = option if option is not None and not option.is_flag else None
        elif (argument := _argument(command, given)) is not None:
            given.values[argument.name] = word
            given.count += argument.nargs == 1
        elif hasattr(command, "get_command") and (inner := command.get_command(None, word)) is not None:
            command, given.count = inner, 0
    return command, given, wanted


def _argument(command: Any, given: _Given) -> Any:
    """Return the argument that comes next, or None."""
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    return arguments[given.count] if given.count < len(arguments) else None


def _help(group: Any, name: str) -> str:
    from labkit.cli.groups import COMMANDS

    return COMMANDS[name][0] if group.name == "labkit" else str(group.get_command(None, name).get_short_help_str(60))


def _values(parameter: Any, given: _Given) -> Found:
    """Return the candidates for a parameter, chosen by its name in the help; empty where the shell's own completion of files applies."""
    metavar = (parameter.metavar or "").strip("[].")
    if parameter.name == "name":
        return _stacks()
    make: dict[str, Callable[[_Given], Found]] = {
        "N": lambda _: _labs(),
        "STEP": _steps,
        "CHECK": _steps,
        "COMPONENT": lambda _: _components(),
        "ID": _faults,
        "NAME|PATH": _snapshots,
        "docker|native": lambda _: [("docker", ""), ("native", "")],
        "order|customer|message": lambda _: [(each, "") for each in ("order", "customer", "message")],
        "bash|zsh|fish": lambda _: [(each, "") for each in SCRIPTS],
    }
    return make[metavar](given) if metavar in make else []


def _stacks() -> Found:
    from labkit.stack import state

    return [(name, "") for name in state.all_names()]


def _labs() -> Found:
    return [(number, title) for number, title, _ in _outlines()]


def _steps(given: _Given) -> Found:
    return next((steps for number, _, steps in _outlines() if number == given.values["number"]), [])


def _outlines() -> list[tuple[str, str, Found]]:
    """Return number, title and steps of each lab. Reads the lines directly, because loading a YAML parser would delay Tab."""
    import re

    from labkit import paths

    title = r"title: *(?P<quote>['\"]?)(?P<title>.*)(?P=quote)$"
    lab = re.compile(rf"^number: *(?P<number>\d+)$\n{title}", re.MULTILINE)
    step = re.compile(rf"^ +- id: *['\"]?(?P<id>[\w.]+)['\"]?$\n +{title}", re.MULTILINE)
    found = []
    for path in sorted((paths.content() / "labs").glob("*/lab.yaml")):
        text = path.read_text(encoding="utf-8")
        if about := lab.search(text):
            found.append((about["number"], about["title"], [(each["id"], each["title"]) for each in step.finditer(text)]))
    return found


def _components() -> Found:
    from labkit.system import find

    return [(name, "") for name in find.default().components]


def _faults(given: _Given) -> Found:
    """Return the faults that are set, for `labkit heal`."""
    import os

    from labkit.faults.ledger import Ledger
    from labkit.stack import stack_names

    name = given.values.get("name") or os.environ.get("LABKIT_NAME") or "default"
    return [(str(fault.id), fault.said) for fault in Ledger(stack_names.directory_of(name)).open()]


def _snapshots(_: _Given) -> Found:
    from labkit.workspace import learner_folder, snapshots

    space = learner_folder.find()
    return [(kept.name, kept.when) for kept in snapshots.all_of(space)] if space else []
