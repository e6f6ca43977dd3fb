"""`labkit images VERB`: names, options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json
from labkit.errors import ExitCode, UserError

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Build, pull, list, export and import the images of the Docker runtime."
)


@app.command("build", short_help="Build them from packages, without a registry.")
def build(
    mysql: Annotated[str | None, typer.Option(metavar="mysql|mariadb", help="The database; default: MySQL, where it is available.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Rebuild all images with today's packages.")] = False,
    as_json: Json = False,
) -> int:
    """Build the images from Debian's packages, the broker's jars and Python's wheels. Unchanged images are reused."""
    if mysql not in (None, "mysql", "mariadb"):
        raise UserError(f"There is no database {mysql!r}, only mysql and mariadb.", "labkit images build", exit_code=ExitCode.USAGE)
    from labkit.commands import images

    return images.build(database=mysql, fresh=fresh, as_json=as_json)


@app.command("list", short_help="List what a stack needs, and what is present.")
def show(as_json: Json = False) -> int:
    """List the images that a stack runs from: have or need, size, version. Exit code 1 if one is missing."""
    from labkit.commands import images

    return images.show(as_json=as_json)


@app.command("pull", short_help="Pull the missing images from a registry.")
def pull(as_json: Json = False) -> int:
    """Pull the missing official images, and build the services' image. LABKIT_REGISTRY=MIRROR/ pulls them from a mirror."""
    from labkit.commands import images

    return images.pull(as_json=as_json)


@app.command("export", short_help="Write all of them to one file.")
def export(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: Json = False) -> int:
    """Write all images of a stack to one compressed file, to be imported on a machine without a network."""
    from labkit.commands import images

    return images.export(file, as_json=as_json)


@app.command("import", short_help="Read all of them from one file.")
def load(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: Json = False) -> int:
    """Import all images from a file that labkit images export wrote. The complete file is checked before anything changes."""
    from labkit.commands import images

    return images.load(file, as_json=as_json)
