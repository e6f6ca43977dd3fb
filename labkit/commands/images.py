"""labkit images: make, get, list and carry the images of the Docker runtime."""

import json
import time
from dataclasses import asdict

from labkit import say
from labkit.errors import ExitCode
from labkit.images import view
from labkit.stack import engine


def build(*, database: str | None, fresh: bool, as_json: bool) -> ExitCode:
    """Make the images from packages."""
    from labkit.images.build import build as make

    begun = time.monotonic()
    found = engine.find()
    with view.make(quiet=as_json) as progress:
        built = make(found, progress, database=database, fresh=fresh)
    if as_json:
        say.line(json.dumps({"images": [asdict(one) for one in built], "seconds": round(time.monotonic() - begun, 1)}, indent=2))
        return ExitCode.OK
    for one in built:
        version = "" if one.kind == "services" else f"{one.server} {one.version}"
        say.line(f"  {one.reference:22}  {version:16}  {say.megabytes(one.size):>7}  {'built' if one.rebuilt else 'unchanged'}")
    rebuilt = sum(one.rebuilt for one in built)
    say.line(f"\n{rebuilt} of {len(built)} images built in {time.monotonic() - begun:.1f} s.\nNext: labkit up --runtime docker")
    return ExitCode.OK
