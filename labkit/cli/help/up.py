"""`labkit up`: options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name
from labkit.terminal import say

app = typer.Typer()


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
