"""labkit labs."""

import json

from labkit.errors import ExitCode
from labkit.lab.catalog import all_labs


def labs(*, as_json: bool) -> ExitCode:
    """List the labs."""
    found = all_labs()
    if as_json:
        print(json.dumps([{"number": lab.number, "title": lab.title, "minutes": lab.minutes} for lab in found], indent=2))
        return ExitCode.OK
    for lab in found:
        print(f"  {lab.number:2}  {lab.title}  ({lab.minutes} min)")
    print("\nNext: labkit lab 1 check")
    return ExitCode.OK
