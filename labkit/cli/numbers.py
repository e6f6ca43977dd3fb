"""Numbers on the command line: plain digits. Python itself reads "1_0" as 10, digits of every script, "nan" and "inf", too."""

import copy
import re
from typing import Any

WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{0,18})?")


def plain(command: Any) -> Any:
    """The command with all its subcommands, taking no other numbers than plain ones, and with short words for what its options take."""
    for parameter in command.params:
        if parameter.param_type_name == "option" and not parameter.is_flag and parameter.metavar is None:
            parameter.metavar = "N" if parameter.type.name.startswith(("int", "float")) else "TEXT"
        if parameter.type.name.startswith(("int", "float")):
            parameter.type = _strict(parameter.type)
    for inner in getattr(command, "commands", {}).values():
        plain(inner)
    return command


def _strict(kind: Any) -> Any:
    strict, convert = copy.copy(kind), kind.convert
    pattern, what = (WHOLE, "whole number") if kind.name.startswith("int") else (NUMBER, "number")

    def checked(value: Any, parameter: Any, context: Any) -> Any:
        if isinstance(value, str) and not pattern.fullmatch(value):
            kind.fail(f"{value!r} is not a {what}.", parameter, context)
        return convert(value, parameter, context)

    strict.convert = checked
    return strict


def whole(text: str) -> int:
    """Raises ValueError."""
    if not WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def number(text: str) -> float:
    """Raises ValueError."""
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number")
    return float(text)
