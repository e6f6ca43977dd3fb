"""Begin: a stack, a workspace, a lab. Names, options and help; each command is imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name, Yes
from labkit.errors import ExitCode, UserError
from labkit.terminal import say

app = typer.Typer()


@app.command()
def setup(
    yes: Yes = False,
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", help="The runtime to set up.")] = None,
    as_json: Json = False,
) -> int:
    """Find or get the servers that a stack needs: MariaDB or MySQL, a broker, Java, Redis or Valkey. With Docker, none are needed."""
    from labkit.commands.setup import setup

    with say.document(as_json):
        return setup(yes=yes, runtime=runtime)


@app.command()
def up(
    name: Name = "default",
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", help="How the stack runs.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="What the stack consists of.")] = None,
    services: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder that holds `services`.")] = None,
    open_wanted: Annotated[
        bool, typer.Option("--open", help="No passwords for the broker and Redis, so that services from outside labkit can connect.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Start the stack and wait until it is ready. If it already runs, repair what is missing. The stores ask for the stack's own passwords
    (`labkit status --json` shows them). With --open the broker and Redis ask for none, and the password of each service's MySQL account is
    the account's name: anyone on this host can then read and change the data. The next `labkit up` without --open closes the stack again.
    LABKIT_START_TIMEOUT sets how many seconds a component may take."""
    from labkit.commands.status import status
    from labkit.commands.up import up

    if not as_json:
        return up(name, runtime=runtime, profile=profile, services=services, open_wanted=open_wanted)
    with say.silence():
        up(name, runtime=runtime, profile=profile, services=services, open_wanted=open_wanted)
    return status(name, as_json=True)


@app.command()
def down(
    data: Annotated[bool, typer.Option("--data", help="Remove its data too.")] = False,
    yes: Yes = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Stop every process of the stack. Its data is kept unless --data is given, which asks first."""
    from labkit.commands.down import down

    with say.document(as_json):
        return down(name, data=data, yes=yes)


@app.command()
def status(name: Name = "default", as_json: Json = False) -> int:
    """Show each component with its state, endpoint, process and memory. Exit code 1 if a component is not ready."""
    from labkit.commands.status import status

    return status(name, as_json=as_json)


@app.command()
def restart(components: Annotated[list[str], typer.Argument(metavar="COMPONENT...")], as_json: Json = False, name: Name = "default") -> int:
    """Stop components and start them again. Services start with their current files."""
    from labkit.commands.restart import restart

    with say.document(as_json):
        return restart(name, components)


@app.command()
def reset(
    data: Annotated[bool, typer.Option("--data", help="Delete customers, orders and messages (the default).")] = False,
    lab: Annotated[int | None, typer.Option("--lab", metavar="N", help="Reset files and data to where lab N begins.")] = None,
    workspace: Annotated[
        bool, typer.Option("--workspace", help="Reset files to those that labkit init made, and clear your progress.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Reset workspace and data; the servers start cold.")] = False,
    stacks: Annotated[str | None, typer.Option("--stack", metavar="PATTERN", help="Reset all matching stacks, such as 'seat-*'.")] = None,
    yes: Yes = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Start over. Each form says what will be lost and asks first; your files that it replaces are always saved. With --stack, all matching
    stacks are reset in parallel, and the exit code is 0 only if each of them then passes lab 1."""
    if data + workspace + everything + (lab is not None) > 1:
        message = "--data, --lab, --workspace and --all are different resets: choose one."
        raise UserError(message, "labkit reset --help", exit_code=ExitCode.USAGE)
    from labkit.commands import lab_files, reset

    what = reset.WORKSPACE if workspace else reset.ALL if everything else reset.DATA
    with say.document(as_json):
        if stacks is not None:
            return reset.reset_many(stacks, what=what, lab=lab, yes=yes)
        return lab_files.reset(name, lab, yes=yes) if lab is not None else reset.reset(name, what=what, yes=yes)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", show_default=False)] = Path("workshop"),
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Make a workspace in DIR (default: workshop): an editable copy of the services, notes, and your progress. With --name, every command
    inside it uses that stack."""
    from labkit.commands.init import init

    with say.document(as_json):
        return init(folder, name)


@app.command()
def labs(as_json: Json = False) -> int:
    """List the labs with their time, your progress, and what comes next."""
    from labkit.commands.labs import labs

    return labs(as_json=as_json)


@app.command()
def watch(name: Name = "default") -> int:
    """Restart services when you save their files, until Ctrl-C."""
    from labkit.commands.watch import watch

    return watch(name)


@app.command()
def guide(
    number: Annotated[int | None, typer.Argument(metavar="[N]", show_default=False)] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write the page to FILE and do not open it.")] = None,
    as_json: Json = False,
) -> int:
    """Open the guides of all labs, or of lab N, as one page that needs no network."""
    from labkit.commands.guide import guide

    with say.document(as_json):
        return guide(number, to=to)
