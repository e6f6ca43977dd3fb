"""Does the command line accept this line?"""

import re
import shlex
from typing import Any

from labkit.cli.app import app

_PLACEHOLDER = re.compile(r"[<{]([^>}]+)[>}]")


def misunderstood(command: str) -> str | None:
    """Return why the command line rejects this command, or None. `<id>` and `{order}` stand for a number."""
    from typer.main import get_command

    text = _PLACEHOLDER.sub("1", command.partition(" #")[0])
    try:
        words = shlex.split(text)[1:]
    except ValueError as error:
        return f"`{command}`: {error}"
    current: Any = get_command(app)
    context: Any = None
    try:
        while True:
            context = current.make_context(current.name, list(words), parent=context)
            words = [*getattr(context, "_protected_args", []), *context.args]
            if not hasattr(current, "resolve_command") or not words:
                return None
            _, current, words = current.resolve_command(context, words)
    except Exception as error:  # typer has its own copy of click's exceptions
        if type(error).__name__ == "Exit":
            return None  # --help
        return f"`{command}`: {getattr(error, 'message', None) or error or type(error).__name__}"
