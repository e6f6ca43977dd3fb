"""All commands, each with one line and an example. The help of a command is loaded only when it is called, so that `labkit --help` and Tab
are fast."""

from importlib import import_module
from typing import Any

from typer import Typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from labkit.cli.number_options import plain

# a command or a group of commands: its line in the list, an example. Its options and help are in labkit/cli/help/NAME.py.
COMMANDS = {
    "up": ("Start the stack, or repair what is missing.", "labkit up --name mine"),
    "init": ("Make your folder for the labs.", "labkit init workshop"),
    "labs": ("List the labs, how far you are, what is next.", "labkit labs"),
    "lab": ("Work on a lab.", "labkit lab 2"),
    "guide": ("Read the guides in the browser.", "labkit guide 2"),
    "watch": ("Restart services when you save, until Ctrl-C.", "labkit watch"),
    "status": ("Show what runs and where.", "labkit status --json"),
    "restart": ("Stop components and start them again.", "labkit restart orders"),
    "reset": ("Empty all stores and start over.", "labkit reset --lab 2"),
    "down": ("Stop the stack; its data is kept.", "labkit down --data"),
    "setup": ("Find or get the servers that a stack needs.", "labkit setup --runtime native"),
    "order": ("Place one order, and see what becomes of it.", "labkit order 12.34 --customer 4"),
    "trace": ("Follow an order, hop by hop: labkit trace order 17.", "labkit trace order 17 --diagram"),
    "events": ("Show the events in the broker.", "labkit events --unhandled"),
    "topics": ("Show what the broker holds, and who has taken it.", "labkit topics --by-key"),
    "sql": ("Query all stores with one SQL statement.", 'labkit sql "select id, state, total from orders"'),
    "logs": ("Show what the components wrote.", "labkit logs orders -n 20"),
    "shell": ("Open a store's prompt, or a service's shell.", "labkit shell mysql"),
    "fault": ("Set one fault by hand.", "labkit fault gate customers"),
    "heal": ("Undo faults.", "labkit heal --all"),
    "load": ("Place orders and measure how fast they finish.", "labkit load --rate 50 --seconds 10"),
    "chaos": ("Play random faults from a seed, and judge.", "labkit chaos --seconds 20 --victim orders"),
    "verify": ("Judge everything that has happened.", "labkit verify --html page.html"),
    "exam": ("Judge a solution at length.", "labkit exam --seed 7"),
    "report": ("Show what you passed, how, and when.", "labkit report --json"),
    "jump": ("Start lab N as if those before it were done.", "labkit jump 3"),
    "progress": ("Carry your progress to another workspace.", "labkit progress export ada.json"),
    "doctor": ("Check whether this machine can run a stack.", "labkit doctor --rehearse"),
    "support": ("Collect what a helper needs in one file.", "labkit support help.zip"),
    "images": ("Build, pull, list and move images for Docker.", "labkit images build"),
    "author": ("Prove labs, for their authors.", "labkit author test 2"),
    "completion": ("Let Tab complete labkit commands.", "labkit completion bash"),
}
GROUPS = ("lab", "progress", "fault", "images", "author")
# purpose: an example, and the commands
SECTIONS = {
    "Begin": ("labkit up", ("up", "init", "labs", "lab", "guide", "watch", "status", "restart", "reset", "down", "setup")),
    "Look": ("labkit trace order 17", ("order", "trace", "events", "topics", "sql", "logs", "shell")),
    "Break": ("labkit fault gate customers", ("fault", "heal", "load", "chaos")),
    "Judge": ("labkit lab 2 check", ("verify", "exam", "report")),
    "Teach": ("labkit jump 3", ("jump", "progress", "doctor", "support", "images", "author", "completion")),
}
# the commands inside groups
INNER_EXAMPLES = {
    "lab": {
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
        "export": "labkit progress export ada.json",
        "import": "labkit progress import ada.json",
    },
    "fault": {
        "list": "labkit fault list",
        "status": "labkit fault status",
        "gate": "labkit fault gate customers --key 17 --for 30s",
        "crash": "labkit fault crash orders order.create.after_outbox_insert",
        "barrier": "labkit fault barrier customers customer.reserve.between_read_and_write",
        "duplicate": "labkit fault duplicate 000001a20f52fb23-0df5850200000000",
        "reorder": "labkit fault reorder LATE EARLY (ids: labkit events)",
        "lock": "labkit fault lock customer 4",
        "kill": "labkit fault kill redis",
        "stop": "labkit fault stop customers",
        "pause": "labkit fault pause orders --for 30s",
        "cut": "labkit fault cut relay",
        "delay": "labkit fault delay customers 500ms",
        "poison": "labkit fault poison order",
        "trim": "labkit fault trim order",
        "tick": "labkit fault tick --hours 24",
        "switch": "labkit fault switch customers batch 1",
    },
    "images": {
        "build": "labkit images build",
        "list": "labkit images list",
        "pull": "labkit images pull",
        "export": "labkit images export room.labkit",
        "import": "labkit images import room.labkit",
    },
    "author": {
        "test": "labkit author test 2 --record",
        "seeds": "labkit author seeds 2 --seeds 5",
        "mutate": "labkit author mutate 2 --sample 20",
        "known": 'labkit author known "the rows come sorted by their key" 3f2a91c0b7de --lab 2',
        "table": "labkit author table docs/mutation.md",
    },
}


class Root(TyperGroup):
    """The command `labkit` itself."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return _made(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, COMMANDS))
        for title, (example, names) in SECTIONS.items():
            with formatter.section(f"{title} ({example})"):
                formatter.write_dl([(f"{name:{width}}", COMMANDS[name][0]) for name in names])


def _made(name: str) -> Any:
    _, example = COMMANDS[name]
    app = import_module(f"labkit.cli.help.{name}").app
    made = plain(get_group(app) if name in GROUPS else _single(app))
    made.epilog = f"Example: {example}"
    for inner, inner_example in INNER_EXAMPLES.get(name, {}).items():
        made.commands[inner].epilog = f"Example: {inner_example}"
    return made


def _single(app: Typer) -> Any:
    """Return the only command of a help file, in the style of all others."""
    styled = Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    styled.registered_commands = app.registered_commands
    return get_command(styled)
