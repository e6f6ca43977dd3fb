"""A labkit with labs of the tests' own: a copy of the package and its content, as a wheel would carry it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.running import ROOT, TIMEOUT, Labkit

LEFT_OUT = shutil.ignore_patterns("__pycache__")


def make(folder: Path) -> Path:
    """labkit, services and compose as they are, and two small labs, 7 and 8, made of the services as they are."""
    for name in ("labkit", "services", "compose"):
        shutil.copytree(ROOT / name, folder / name, ignore=LEFT_OUT)
    shutil.copytree(ROOT / "labs" / "01-run-the-application", folder / "labs" / "01-run-the-application", ignore=LEFT_OUT)
    shutil.copytree(Path(__file__).with_name("labs"), folder / "labs", ignore=LEFT_OUT, dirs_exist_ok=True)
    handlers = (ROOT / "services/orders/handlers.py").read_text()
    starter = folder / "labs/07-a-lab/starter/services/orders/handlers.py"
    starter.parent.mkdir(parents=True)
    starter.write_text(handlers + "\n# TODO: this is lab 7's to be mended\n")
    (folder / "labs/07-a-lab/starter/saga.yml").write_text("steps: []\n")
    view = (ROOT / "services/order_history/view.py").read_text()
    starter = folder / "labs/08-another/starter/services/order_history/view.py"
    starter.parent.mkdir(parents=True)
    starter.write_text(view + "\n# TODO: this is lab 8's to be mended\n")
    return folder


@dataclass(frozen=True)
class Learner:
    """A person in a folder, with a command line."""

    labkit: Labkit
    kit: Path
    folder: Path

    def __call__(self, *arguments: str, ok: bool = True, typed: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "labkit", *arguments],
            cwd=self.folder,
            env={**self.labkit._environment(), "PYTHONPATH": str(self.kit), **environment},
            capture_output=True,
            text=True,
            input=typed,
            timeout=TIMEOUT,
            check=False,
        )
        said = f"labkit {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        assert done.returncode == 0 or not ok, said
        return done

    def at_terminal(self, *arguments: str, answer: str, **environment: str) -> str:
        """What a terminal shows of a command that asks one question, which is answered so."""
        import os
        import pty

        keys, screen = pty.openpty()
        environment = {**self.labkit._environment(), "PYTHONPATH": str(self.kit), "TERM": "xterm", "COLUMNS": "80", **environment}
        command = [sys.executable, "-m", "labkit", *arguments]
        process = subprocess.Popen(command, cwd=self.folder, env=environment, stdin=screen, stdout=screen, stderr=screen)
        os.close(screen)
        seen, answered = b"", False
        with suppress(OSError):  # Linux' way to say that nobody writes any more
            while text := os.read(keys, 65536):
                seen += text
                if not answered and b"[y/N]" in seen:
                    answered = bool(os.write(keys, f"{answer}\n".encode()))
        os.close(keys)
        assert process.wait(60) == 0, seen.decode()
        return seen.decode().replace("\r\n", "\n")

    @contextmanager
    def begun(self, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
        """A command that goes on until it is interrupted; killed if it was not."""
        process = subprocess.Popen(
            [sys.executable, "-m", "labkit", *arguments],
            cwd=self.folder,
            env={**self.labkit._environment(), "PYTHONPATH": str(self.kit)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text)

    def read(self, file: str) -> str:
        return (self.folder / file).read_text()


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    """The line that has the text in it. pytest's own time-out ends a wait that is in vain."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError(f"it ended without {text!r}: {''.join(seen)}")
