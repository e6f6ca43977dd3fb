"""`make readme`: records the transcripts of README.md again, with the real commands on a separate stack.

The text between `<!-- recorded NAME -->` and `<!-- end -->` is replaced. Run it where the default ports are free and nothing else is
running.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
SEED = "583111"


def main() -> None:
    recorded: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as home:
        desk = Path(home, "desk")
        desk.mkdir()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LABKIT_") or name == "LABKIT_CACHE"}
        environment |= {"LABKIT_HOME": str(Path(home, "labkit")), "LABKIT_RUNTIME": "native", "COLUMNS": "80"}
        found = f"{Path(sys.executable).parent}:{environment['PATH']}"

        def labkit(*words: str, folder: Path = desk, name: str = "", path: str = found) -> str:
            print(f"labkit {' '.join(words)}", file=sys.stderr)
            command = [sys.executable, "-P", "-m", "labkit", *words]
            done = subprocess.run(command, cwd=folder, env=environment | {"PATH": path}, capture_output=True, text=True, check=False)
            said = (done.stdout + done.stderr).replace(str(desk), "/home/ada").strip()
            if name:
                recorded[name] = f"$ labkit {' '.join(words)}\n{said}"
            return said

        workshop = desk / "workshop"
        try:
            # as in the clone, in a shell that does not find labkit yet
            gateway = re.search(r"gateway .*(http://\S+)", labkit("up", folder=README.parent, name="up", path=environment["PATH"]))
            assert gateway is not None
            recorded["by-hand"] = "\n".join(by_hand(gateway[1]))
            labkit("init", "workshop")
            labkit("lab", "2", "start", "--yes", folder=workshop)
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


def by_hand(gateway: str) -> Iterator[str]:
    """Yields the curl requests and the gateway's answers; the last two after the order has ended."""
    json = "-H 'content-type: application/json'"
    for words in (
        f"""{gateway}/customers {json} -d '{{"name":"Ada","creditLimit":{{"amount":15.00}}}}'""",
        f"""{gateway}/orders {json} -d '{{"customerId":1,"orderTotal":{{"amount":12.34}}}}'""",
        f"{gateway}/orders/1",
        f"{gateway}/customers/1/orderhistory",
    ):
        while True:
            done = subprocess.run(f"curl -s {words}", shell=True, capture_output=True, text=True, check=True)
            if "PENDING" not in done.stdout:
                break
        yield f"$ curl -s {words}".replace(f" {json}", f" \\\n    {json}").replace(" -d ", " \\\n    -d ")
        yield done.stdout


if __name__ == "__main__":
    main()
