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
# of the groups, and of the commands in them
INNER_EXAMPLES = {
    "lab": {
        "": "labkit lab 2",
        "read": "labkit lab 2 read 2.3",
        "start": "labkit lab 2 start",
        "predict": "labkit lab 2 predict 2.2",
        "inject": "labkit lab 2 inject 2.2",
        "check": "labkit lab 2 check 2.3 --watch",
        "hint": "labkit lab 2 hint 2.3",
        "solution": "labkit lab 2 solution --diff",
        "restore": "labkit lab 2 restore --list",
        "reset": "labkit lab 2 reset",
        "tour": "labkit lab 2 tour",
    },
    "progress": {
        "": "labkit progress export ada.json",
        "export": "labkit progress export ada.json",
        "import": "labkit progress import ada.json",
    },
    "fault": {
        "": "labkit fault gate customers",
        "list": "labkit fault list",
        "status": "labkit fault status",
        "gate": "labkit fault gate customers --type OrderCreated --for 30s",
        "crash": "labkit fault crash orders order.create.after_outbox_insert",
        "barrier": "labkit fault barrier customers customer.reserve.between_read_and_write",
        "duplicate": "labkit fault duplicate 000001a20f52fb23-0df5850200000000",
        "reorder": "labkit fault reorder LATE EARLY (ids: labkit events)",
        "lock": "labkit fault lock customer 4",
        "kill": "labkit fault kill redis",
        "stop": "labkit fault stop customers",
        "pause": "labkit fault pause orders --for 30s",
        "cut": "labkit fault cut kafka",
        "delay": "labkit fault delay customers 500ms",
        "poison": "labkit fault poison order",
        "trim": "labkit fault trim order",
        "tick": "labkit fault tick --hours 24",
        "switch": "labkit fault switch customers batch 1",
    },
    "images": {
        "": "labkit images build",
        "build": "labkit images build",
        "list": "labkit images list",
        "pull": "labkit images pull",
        "export": "labkit images export room.labkit",
        "import": "labkit images import room.labkit",
    },
    "author": {"": "labkit author test 2", "test": "labkit author test 2 --record"},
}


def _with_examples(group: Any, name: str) -> Any:
    for inner, example in INNER_EXAMPLES[name].items():
        (group.commands[inner] if inner else group).epilog = f"Example: {example}"
    return group


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
        if self._listing:
            return TyperCommand(cmd_name, short_help=said)
        return _with_examples(plain(get_group(import_module(module).app)), cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        width = max(map(len, self.list_commands(ctx)))
        for title, (example, names) in SECTIONS.items():
            with formatter.section(f"{title} ({example})"):
                formatter.write_dl([(f"{name:{width}}", self.get_command(ctx, name).get_short_help_str(60)) for name in names])
        self._listing = False
