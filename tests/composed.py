"""compose.yaml as `docker compose` reads it, with one password for all accounts."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.running import ROOT

COMPOSE = ROOT / "compose" / "compose.yaml"
PASSWORD = "5e3c2e7"


def config(*files: Path, **variables: str) -> dict[str, Any]:
    """The configuration as for a manual call: the caller's own settings are ignored. A dollar sign in a value is doubled."""
    named = [word for file in files for word in ("--file", str(file))]
    own = {name: value for name, value in os.environ.items() if not name.startswith("LABKIT_")}
    done = subprocess.run(
        ["docker", "compose", *named, "config", "--format", "json"],
        env={**own, "LABKIT_PASSWORD": PASSWORD, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
