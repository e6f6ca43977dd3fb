import os
import subprocess

import pytest


@pytest.fixture(scope="session")
def engine() -> str:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        pytest.skip("no engine answers")
    return host
