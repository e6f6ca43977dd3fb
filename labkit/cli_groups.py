"""How commands are found and listed. A group's module is loaded when one of its commands is called: `labkit --help` and every other command
do without it."""

from importlib import import_module
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from labkit.cli_numbers import plain

# group: its module, and its one line in the list
GROUPS = {
    "lab": ("labkit.cli_lab", "Work on a lab."),
    "progress": ("labkit.cli_progress", "Carry your progress to another workspace."),
    "fault": ("labkit.cli_fault", "Bring about one fault, by hand."),
    "images": ("labkit.cli_images", "Make, get, list and carry images for Docker."),
    "author": ("labkit.cli_author", "Write labs: prove them."),
}
# what for: an example, and its commands
SECTIONS = {
    "Begin": ("labkit up", ("up", "init", "labs", "lab", "guide", "watch", "status", "restart", "reset", "down", "setup")),
    "Look": ("labkit trace order 17", ("order", "trace", "events", "topics", "sql", "logs", "shell")),
    "Break": ("labkit fault gate customers", ("fault", "heal", "load", "chaos")),
    "Judge": ("labkit lab 2 check", ("verify", "report")),
    "Teach": ("labkit jump 3", ("jump", "progress", "doctor", "support", "images", "author", "completion")),
}
EXAMPLES = {
    "setup": "labkit setup --runtime native",
    "up": "labkit up --name mine",
    "down": "labkit down --data",
    "status": "labkit status --json",
    "logs": "labkit logs orders -n 20",
    "shell": "labkit shell mysql",
    "restart": "labkit restart orders",
    "reset": "labkit reset --lab 2",
    "verify": "labkit verify --html page.html",
    "trace": "labkit trace order 17 --diagram",
    "order": "labkit order 12.34 --customer 4",
    "init": "labkit init workshop",
    "labs": "labkit labs",
    "watch": "labkit watch",
    "guide": "labkit guide 2",
    "report": "labkit report --json",
    "jump": "labkit jump 3",
    "heal": "labkit heal --all",
    "chaos": "labkit chaos --seconds 20 --victim orders",
    "load": "labkit load --rate 50 --seconds 10",
    "doctor": "labkit doctor --rehearse",
    "support": "labkit support help.zip",
    "sql": 'labkit sql "select id, state, total from orders"',
    "events": "labkit events --unhandled",
    "topics": "labkit topics --by-key",
    "completion": "labkit completion bash",
}


class Root(TyperGroup):
    """The command `labkit` itself."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in GROUPS:
            found = super().get_command(ctx, cmd_name)
            if found is None or self._listing:
                return found
            found.epilog = f"Example: {EXAMPLES[cmd_name]}"
            return plain(found)
        module, said = GROUPS[cmd_name]
        return TyperCommand(cmd_name, short_help=said) if self._listing else plain(get_group(import_module(module).app))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        width = max(map(len, self.list_commands(ctx)))
        for title, (example, names) in SECTIONS.items():
            with formatter.section(f"{title} ({example})"):
                formatter.write_dl([(f"{name:{width}}", self.get_command(ctx, name).get_short_help_str(60)) for name in names])
        self._listing = False
