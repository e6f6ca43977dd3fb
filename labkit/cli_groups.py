"""Groups of commands that are loaded when one of theirs is called: `labkit --help` and every other command do without them."""

from importlib import import_module
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from labkit.cli_numbers import plain

# group: its module, after which command it is listed, and its one line there
GROUPS = {
    "lab": ("labkit.cli_lab", "labs", "Work on a lab: labkit lab 1."),
    "progress": ("labkit.cli_progress", "report", "Carry your progress to another workspace."),
    "fault": ("labkit.cli_fault", "trace", "Bring about one fault, by hand."),
    "images": ("labkit.cli_images", "support", "Make, get, list and carry images for Docker."),
    "author": ("labkit.cli_author", "images", "Write labs: prove them."),
}


class Root(TyperGroup):
    """The command `labkit` itself."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        names = list(super().list_commands(ctx))
        for group, (_, after, _) in GROUPS.items():
            names.insert(names.index(after) + 1, group)
        return names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in GROUPS:
            found = super().get_command(ctx, cmd_name)
            return found if self._listing or found is None else plain(found)
        module, _, said = GROUPS[cmd_name]
        return TyperCommand(cmd_name, short_help=said) if self._listing else plain(get_group(import_module(module).app))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        super().format_commands(ctx, formatter)
        self._listing = False
