"""`labkit images VERB`: names, options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json
from labkit.errors import ExitCode, UserError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The images of the Docker runtime: make, get, list and carry them.")


@app.command("build", short_help="Build them from packages, without a registry.")
def build(
    mysql: Annotated[str | None, typer.Option(metavar="mysql|mariadb", help="The database; default: MySQL, where it is available.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Build all anew, with today's packages.")] = False,
    as_json: Json = False,
) -> int:
    """Make the images from Debian's packages, the broker's jars and Python's wheels. Images that have not changed are kept."""
    if mysql not in (None, "mysql", "mariadb"):
        raise UserError(f"There is no database {mysql!r}, only mysql and mariadb.", "labkit images build", exit_code=ExitCode.USAGE)
    from labkit.commands import images

    return images.build(database=mysql, fresh=fresh, as_json=as_json)


@app.command("list", short_help="Show what a stack needs, and what is here.")
def show(as_json: Json = False) -> int:
    """List the images that a stack runs from: have or need, size, version. Exit code 1 when one is missing."""
    from labkit.commands import images

    return images.show(as_json=as_json)


@app.command("pull", short_help="Get what is missing from a registry.")
def pull(as_json: Json = False) -> int:
    """Get the official images that are missing, and make the services' image. LABKIT_REGISTRY=MIRROR/ gets them from a mirror."""
    from labkit.commands import images

    return images.pull(as_json=as_json)


@app.command("export", short_help="Write all of them to one file.")
def export(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: Json = False) -> int:
    """Write all images of a stack to one compressed file, to be imported on a machine without a network."""
    from labkit.commands import images

    return images.export(file, as_json=as_json)


@app.command("import", short_help="Read all of them from one file.")
def load(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: Json = False) -> int:
    """Take all images from a file that labkit images export wrote. The whole file is checked before anything changes."""
    from labkit.commands import images

    return images.load(file, as_json=as_json)
