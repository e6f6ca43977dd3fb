"""`make readme`: records the transcripts of README.md anew, with the real commands on a stack of its own.

What stands between `<!-- recorded NAME -->` and `<!-- end -->` is replaced. Run it where the default ports are free and nothing else is
going on.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
SEED = "583111"


def main() -> None:
    recorded: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as home:
        desk = Path(home, "desk")
        desk.mkdir()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LABKIT_") or name == "LABKIT_CACHE"}
        environment |= {"LABKIT_HOME": str(Path(home, "labkit")), "LABKIT_RUNTIME": "native"}

        def labkit(*words: str, folder: Path = desk, name: str = "") -> str:
            print(f"labkit {' '.join(words)}", file=sys.stderr)
            command = [sys.executable, "-P", "-m", "labkit", *words]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            said = (done.stdout + done.stderr).replace(str(desk), "/home/ada").strip()
            if name:
                recorded[name] = f"$ labkit {' '.join(words)}\n{said}"
            return said

        workshop = desk / "workshop"
        try:
            labkit("up", name="up")
            labkit("init", "workshop")
            labkit("lab", "2", "start", folder=workshop)
            failed = labkit("lab", "2", "check", "2.3", "--seed", SEED, folder=workshop, name="failing")
            order = re.findall(r"trace order (\d+)", failed)[0]
            labkit("trace", "order", order, folder=workshop, name="trace")
            labkit("lab", "2", "solution", "--apply", "--yes", folder=workshop)
            labkit("lab", "2", "check", "--seed", SEED, folder=workshop, name="passing")
        finally:
            labkit("down", "--data")
    text = README.read_text(encoding="utf-8")
    for name, said in recorded.items():
        block = re.compile(rf"(<!-- recorded {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = block.subn(lambda found, said=said: f"{found[1]}```\n{said}\n```\n{found[2]}", text)  # type: ignore[misc]
        assert count == 1, f"README.md has no place for {name}"
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
