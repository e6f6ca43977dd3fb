"""labkit doctor: can this machine run a stack? If not, what fixes it?"""

import json

from labkit.doctor import examination, text
from labkit.doctor.findings import EXIT_CODES
from labkit.errors import ExitCode
from labkit.terminal import say


def doctor(stack_name: str, *, runtime: str | None, rehearse: bool, as_json: bool) -> ExitCode:
    """Exit code 0 if the machine is ready, 1 if it is not, 2 if labkit cannot tell."""
    if rehearse:
        from labkit.doctor import rehearsal

        return rehearsal.rehearse(stack_name, runtime=runtime, as_json=as_json)
    found = examination.examine(stack_name, runtime)
    if as_json:
        say.raw(json.dumps(found.as_json(), indent=2))
    else:
        for line in text.lines(found):
            say.line(line)
    return EXIT_CODES[found.verdict]
