"""The command `labkit` itself, and the options that many commands share."""

from typing import Annotated

import typer

from labkit.cli.groups import Root
from labkit.terminal import say

app = typer.Typer(
    name="labkit",
    cls=Root,
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Option("--name", envvar="LABKIT_NAME", metavar="NAME", help="The stack to use.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def _version(wanted: bool) -> None:
    if wanted:
        from labkit import __version__

        say.line(f"labkit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """A workshop on distributed data: sagas, transactional outbox, idempotent consumers and CQRS, on real servers."""
