"""What the user can do about a service that does not start with its current files."""

from collections.abc import Iterator
from contextlib import contextmanager

from labkit.stack.readiness import NotReady
from labkit.workspace import learner_folder, manifest


def after(error: NotReady, again: str) -> str:
    """Return the next step. `again` is the command that tries again."""
    mistake = error.mistake
    if mistake is None:
        return f"fix what its log says (labkit logs {error.component}), then {again}"
    if not mistake.missing:
        return f"fix {mistake.file}, line {mistake.line}, then {again}"
    space = learner_folder.find()
    if space is None:
        return f"git checkout {mistake.missing}, then {again}"
    return f"labkit lab {manifest.read(space).lab or 1} restore {mistake.missing}, then {again}"


@contextmanager
def next_step_added() -> Iterator[None]:
    """Add the next step to the error of a component that ends before it is ready."""
    try:
        yield
    except NotReady as error:
        if error.ended:
            error.next_step = after(error, "run the same command again")
        raise
