"""labkit guide: the guides as a page in the browser."""

import os
import sys
import webbrowser
from pathlib import Path

from labkit import paths
from labkit.catalog.labs import find_lab
from labkit.errors import ExitCode, UserError
from labkit.terminal import say
from labkit.workspace import lab_status, learner_folder, next_step, progress


def guide(number: int | None, *, to: Path | None) -> ExitCode:
    """Write the page and open it. If no browser can be opened, print the path of the page."""
    from labkit.workspace.guide_page import page

    space = learner_folder.find()
    found = lab_status.of_all(progress.load(space))
    wanted = [find_lab(number).number] if number is not None else [now.lab.number for now in found if now.lab.guide.is_file()]
    if not wanted:
        raise UserError("No lab has a guide.", "labkit labs")
    path = (to or paths.home() / "guide" / (f"lab-{number}.html" if number else "labs.html")).absolute()
    with learner_folder.write_errors_explained(path.parent):
        paths.write(path, page([now for now in found if now.lab.number in wanted]))
    opened = to is None and _has_screen() and webbrowser.open(path.as_uri())
    say.line(f"The guide is {'open in your browser: ' if opened else 'in '}{path}")
    say.line(f"Next: {next_step.of_labs(found, space)}")
    return ExitCode.OK


def _has_screen() -> bool:
    """Return whether the user has a graphical screen. Without one, `webbrowser` would start a browser inside this terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"))
