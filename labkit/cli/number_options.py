"""Options that accept only plain numbers."""

import copy
from typing import Any

from labkit.plain_numbers import NUMBER, WHOLE


def plain(command: Any) -> Any:
    """Return the command with all its subcommands, changed to accept only plain numbers and with short names for the types of its
    options."""
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
