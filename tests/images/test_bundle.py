"""A bundle carries all images to an engine that never had them. A damaged file is refused before the engine is touched."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.images.bundle import HEADER_BYTES
from tests.engine import SecondEngine
from tests.images.conftest import BUILD_TIMEOUT, docker, run_labkit
from tests.running import ROOT

pytestmark = pytest.mark.docker

# Only labkit's own images, whatever else the engine has.
OURS = {f"LABKIT_{kind.upper()}_IMAGE": f"labkit/{kind}:local" for kind in ("mysql", "kafka", "redis", "services")}


@pytest.fixture(scope="module")
def bundle(images: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bundle") / "labkit.zst"
    run_labkit("images", "export", str(file), ok=True, **OURS)
    return file


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the bundle that may be damaged."""
    file = tmp_path / "copy.zst"
    shutil.copyfile(bundle, file)
    yield file
    file.unlink(missing_ok=True)


def layers(*docker_options: str) -> dict[str, str]:
    """The checksums of each image's layers."""
    return {name: docker(*docker_options, "inspect", "--format", "{{.RootFS.Layers}}", name) for name in OURS.values()}


def test_what_is_exported_arrives_whole_on_an_empty_engine_and_a_stack_comes_up_from_it_with_the_network_off(
    bundle: Path, second_engine: SecondEngine, tmp_path: Path
) -> None:
    begun = time.time()
    second_engine.remove_images()
    before = run_labkit("images", "list", "--json", ok=False, **second_engine.environment)
    assert before.returncode == 1
    assert not any(image["present"] for image in json.loads(before.stdout)["images"])

    said = run_labkit("images", "import", str(bundle), ok=True, **second_engine.environment).stdout

    assert "Imported 4 images" in said
    assert layers("--host", second_engine.host) == layers()
    after = json.loads(run_labkit("images", "list", "--json", ok=True, **second_engine.environment).stdout)
    assert after["ready"]
    assert {image["kind"]: image["reference"] for image in after["images"]} == {name[7:-6].lower(): image for name, image in OURS.items()}

    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    home = {"LABKIT_HOME": str(tmp_path), "LABKIT_NAME": "offline", "LABKIT_RUNTIME": "docker", "PYTHONPATH": str(ROOT)}
    variables = {**nowhere, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", **home, **second_engine.environment}

    def labkit(*words: str) -> str:
        """Runs in the engine's isolated network, where the ports of its containers are reachable."""
        settings = [f"{name}={value}" for name, value in variables.items()]
        command = second_engine.inside("env", *settings, sys.executable, "-m", "labkit", *words)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_TIMEOUT, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        labkit("up")
        assert "9 passed" in labkit("lab", "1", "check")
    finally:
        labkit("down", "--data")
    until = f"{time.time():.3f}"
    assert not second_engine.docker("events", "--since", f"{begun:.3f}", "--until", until, "--filter", "event=pull")
    assert second_engine.docker("events", "--since", f"{begun:.3f}", "--until", until, "--filter", "event=create")


def test_docker_and_zstd_alone_can_read_it(bundle: Path) -> None:
    """An instructor without labkit: `zstd -dc FILE | docker load`."""
    if shutil.which("zstd") is None:
        import zstandard

        with bundle.open("rb") as file:
            start = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read(512)
    else:
        with subprocess.Popen(["zstd", "-dc", bundle], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            start = process.stdout.read(512)
            process.stdout.close()
    assert start[257:262] == b"ustar"


def truncate(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 1)


def lengthen(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"x")


def flip(file: Path, at: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)[0]
        opened.seek(at)
        opened.write(bytes([byte ^ 1]))


def leads_nowhere(file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")


def make_foreign(file: Path) -> None:
    """Pretend that a machine of another architecture wrote it. The manifest says so and has a correct checksum."""
    from labkit.images import bundle as module

    with file.open("r+b") as opened:
        opened.seek(8)
        manifest = json.loads(opened.read(HEADER_BYTES - 8))
        manifest.pop("manifest_sha256")
        opened.seek(0)
        opened.write(module._header({**manifest, "architecture": "s390x"}))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (truncate, "is truncated"),
    "cut in its header": (lambda file: file.write_bytes(file.read_bytes()[:1000]), "is damaged"),
    "longer": (lengthen, "has extra bytes at its end"),
    "damaged in the middle": (lambda file: flip(file, file.stat().st_size // 2), "its checksum is not the one"),
    "damaged manifest": (lambda file: flip(file, 100), "its manifest cannot be read"),
    "foreign": (make_foreign, "holds images for s390x, and this engine is"),
    "another file": (lambda file: file.write_bytes(b"PK\3\4" + bytes(100_000)), "is not a bundle of labkit's images"),
    "empty": (lambda file: file.write_bytes(b""), "is not a bundle of labkit's images"),
    "missing": (leads_nowhere, "cannot be read"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_with_anything_wrong_is_refused_before_the_engine_is_touched(copy: Path, wrong: str, second_engine: SecondEngine) -> None:
    second_engine.remove_images()
    spoil, says = WRONG[wrong]
    spoil(copy)
    done = run_labkit("images", "import", str(copy), ok=False, **second_engine.environment)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 2, f"one sentence and the next step: {done.stderr}"
    assert "Next: " in done.stderr
    assert second_engine.docker("images", "--all", "--quiet") == ""


def test_a_folder_is_no_bundle(tmp_path: Path) -> None:
    assert "cannot be read" in run_labkit("images", "import", str(tmp_path), ok=False).stderr


def test_an_export_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "labkit.zst"
    file.write_text("the old one")
    done = run_labkit("images", "export", str(file), ok=False, LABKIT_REDIS_IMAGE="labkit/no-such:image")
    assert done.returncode == 1
    assert "the engine has no labkit/no-such:image" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["labkit.zst"]
    assert file.read_text() == "the old one"


def test_an_export_into_no_folder_says_so(images: dict[str, Any], tmp_path: Path) -> None:
    done = run_labkit("images", "export", str(tmp_path / "none" / "labkit.zst"), ok=False, **OURS)
    assert f"There is no folder {tmp_path / 'none'}" in done.stderr
