"""`labkit shell`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Name

app = typer.Typer()


@app.command()
def shell(
    component: Annotated[str, typer.Argument(metavar="COMPONENT")],
    sh: Annotated[bool, typer.Option("--sh", help="Open a shell instead of a server's prompt.")] = False,
    name: Name = "default",
) -> int:
    """Open the prompt of a server, such as mysql, logged in at this stack's port. For a service, or with --sh, open a shell where it
    runs: in its container, or in its folder with its environment."""
    from labkit.commands.events import events
    from labkit.commands.shell import shell
    from labkit.commands.topics import topics
    from labkit.stack.store_prompt import Looks

    looks = Looks(
        channels=lambda stack, by_key: topics(stack, by_key=by_key, as_json=False),
        events=lambda stack, count: events(stack, follow=False, unhandled=False, lines=count, as_json=False),
    )
    return shell(name, component, looks, sh=sh)
