"""docker compose: a stack's settings file, and explanations of the command's errors."""

import grp
import hashlib
import json
import os
import pwd
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import docker_engine, paths
from labkit.errors import Damaged, UserError
from labkit.stack import products
from labkit.stack.model import Stack
from labkit.stack.port_choice import PortTaken
from labkit.system.model import Profile

if TYPE_CHECKING:
    from labkit.images.catalog import Image

SETTINGS = "compose.env"
PREFIX = "labkit-"  # prefix of every project name
# on every object of a stack: the stack's directory. It identifies leftovers after the directory is gone
DIRECTORY_LABEL = "labkit.directory"
CONTROL = "control"
NOBODYS = range(59_157, 60_000)  # user ids that machines do not assign to their users
HEALTH_INTERVAL = "10s"  # labkit has its own probes; the engine's health checks only inform other tools
SERVICE_NEEDS_MB = 55  # memory of one service on a quiet stack; for servers see Product.memory_mb
MORE_MEMORY = f"give it more (Docker Desktop: Settings, Resources); {docker_engine.NATIVELY}"


def project_of(directory: Path) -> str:
    """Return the project name: `labkit-NAME`, with a hash suffix for a stack outside the user's default labkit home."""
    usual = paths.usual_home() / "stacks" / directory.name
    suffix = "" if directory == usual else f"-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:8]}"
    return f"{PREFIX}{directory.name}{suffix}"


def command(directory: Path, *words: str) -> list[str]:
    """Return the `docker compose` command line for the stack, with the settings that `write_settings` wrote."""
    files = paths.compose_directory()
    return [
        "docker", "compose",
        "--project-name", project_of(directory),
        "--env-file", str(directory / SETTINGS),
        "--file", str(files / "compose.yaml"),
        "--file", str(files / "labkit.yaml"),
        *words,
    ]  # fmt: skip


def _environment(directory: Path) -> dict[str, str]:
    """Drop the caller's LABKIT_ and COMPOSE_ variables, which would override the settings file."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LABKIT_", "COMPOSE_"))}
    return {**own, "DOCKER_HOST": docker_engine.find().host}


def refuse_paths(*folders: Path) -> None:
    """Raise UserError when Docker cannot mount a folder because its path has a colon."""
    for folder in folders:
        if ":" in str(folder):
            raise UserError(f"Docker cannot mount {folder}: its path has a colon in it.", f"rename that folder; {docker_engine.NATIVELY}")


def refuse_other_components(profile: Profile) -> None:
    """Raise UserError when a component of the profile has no service in compose.yaml."""
    import yaml

    known = yaml.safe_load((paths.compose_directory() / "compose.yaml").read_text(encoding="utf-8"))["services"]
    if missing := [name for name in profile.components if name not in known]:
        raise UserError(
            f"The profile {profile.name} does not run on Docker yet: compose.yaml has no {' and no '.join(missing)}.",
            f"labkit up --profile {profile.name} --runtime native",
        )


def check_version() -> None:
    """Raise UserError when the compose plugin is missing or too old."""
    try:
        docker_engine.compose_version()
    except docker_engine.NoEngine as error:
        raise UserError(error.message, f"{error.next_step}; {docker_engine.NATIVELY}") from None


def refuse_too_little_memory(found: docker_engine.Engine, images: "Mapping[str, Image]", profile: Profile) -> None:
    """Raise UserError, before anything starts, when the engine has too little memory for the stack."""
    has = docker_engine.memory_mb(found)
    needs = sum(products.of(server.product).memory_mb for server in profile.servers) + SERVICE_NEEDS_MB * len(profile.services)
    if has < needs:
        raise UserError(
            f"The Docker engine has {has:.0f} MB of memory; the stack needs {needs} MB.",
            MORE_MEMORY,
        )


def write_settings(stack: Stack, images: Mapping[str, str], subnet: Callable[[str, str | None], str]) -> None:
    """Write compose.env: every variable of compose.yaml that labkit decides.

    `subnet` returns the stack's subnet, given the project and its previous subnet.
    """
    uid, gid = service_user()
    _make_control_directory(stack.directory / CONTROL, stack.services, uid, gid)
    settings = {
        "LABKIT_NAME": stack.name,
        "LABKIT_DIRECTORY": str(stack.directory),
        "LABKIT_SOURCE": str(stack.source),
        "LABKIT_UID": str(uid),
        "LABKIT_GID": str(gid),
        "LABKIT_HEALTH_INTERVAL": HEALTH_INTERVAL,
        "LABKIT_CONTROL": str(stack.directory / CONTROL),
        "LABKIT_SUBNET": subnet(project_of(stack.directory), read_settings(stack.directory).get("LABKIT_SUBNET")),
        **{f"LABKIT_{kind.upper()}_IMAGE": reference for kind, reference in images.items()},
        **{f"LABKIT_{name.upper().replace('-', '_')}_PORT": str(stack[name].endpoint.port) for name in stack.names},
        **_passwords(stack),
        **{f"LABKIT_ADDRESS_{name.upper().replace('-', '_')}": str(stack.own_address_bits(name)) for name in stack.services},
    }
    paths.write_private(stack.directory / SETTINGS, "".join(f"{name}={_quoted(value)}\n" for name, value in settings.items()))


def _passwords(stack: Stack) -> dict[str, str]:
    found: dict[str, str] = {}
    for server in stack.profile.servers:
        found |= products.of(server.product).container_settings(stack, server.name)
    return found


def _quoted(value: str) -> str:
    """Quote a value so that compose reads it literally."""
    return "'" + value.replace("'", "\\'") + "'"


def read_settings(directory: Path) -> dict[str, str]:
    try:
        lines = (directory / SETTINGS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}  # the file is written before it is used
    return {name: value[1:-1].replace("\\'", "'") for name, _, value in (line.partition("=") for line in lines)}


def service_user() -> tuple[int, int]:
    """Return the user and group ids of the services: labkit's user, so that both can use the files. If labkit runs as root, ids without a
    user.
    """
    if os.getuid():
        return os.getuid(), os.getgid()
    known = {user.pw_uid for user in pwd.getpwall()} | {group.gr_gid for group in grp.getgrall()}
    free = next(number for number in NOBODYS if number not in known)
    return free, free


def _make_control_directory(control: Path, services: Collection[str], uid: int, gid: int) -> None:
    """Create the mounted folders before they are mounted, and give the services' user the folders that the services write to."""
    (control / "armed").mkdir(parents=True, exist_ok=True)
    for name in services:
        hits = control / "hits" / name
        hits.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            for path in (hits, *hits.rglob("*")):
                os.chown(path, uid, gid)


def config_hashes(directory: Path) -> dict[str, str]:
    """Return compose's configuration hash of each component. Calls compose only when an input file has changed."""
    files = [paths.compose_directory() / "compose.yaml", paths.compose_directory() / "labkit.yaml", directory / SETTINGS]
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    kept = directory / "compose.hashes.json"
    try:
        found = paths.read_json(kept, dict, "labkit up")
        if found.get("digest") == digest and isinstance(found.get("hashes"), dict):
            return dict(found["hashes"])
    except (OSError, Damaged):
        pass
    done = docker_engine.run(command(directory, "config", "--hash", "*"), environment=_environment(directory))
    if done.returncode != 0:
        raise explained(done.stderr, directory)
    hashes = dict(line.split() for line in done.stdout.splitlines())
    paths.write(kept, json.dumps({"digest": digest, "hashes": hashes}))
    return hashes


def up(directory: Path, names: Collection[str]) -> None:
    """Create and start these components. Components that already run with the current configuration stay. Raises UserError."""
    words = ("up", "--detach", "--no-deps", "--no-build", "--pull", "never", "--quiet-pull", *names)
    done = docker_engine.run(command(directory, *words), environment=_environment(directory))
    if done.returncode != 0:
        raise explained(done.stderr, directory)


def lines_of(command: list[str], directory: Path) -> Iterator[tuple[str, str]]:
    """Yield component and line from `compose logs`."""
    with subprocess.Popen(command, env=_environment(directory), stdout=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                container, _, text = line.rstrip("\n").partition("| ")
                yield container.strip().rpartition("-")[0], text
        finally:
            process.terminate()


def explained(said: str, directory: Path) -> UserError:
    """Turn the output of the engine or compose into one sentence and a next step."""
    said = said.strip()
    last = said.splitlines()[-1] if said else "no output"
    low = said.lower()
    if "port is already allocated" in low or "address already in use" in low:
        return PortTaken(f"A port was taken by another program in the meantime: {last}", "labkit up, which takes the next free one")
    if "no such image" in low or "manifest unknown" in low:
        return UserError(f"An image is missing: {last}", "labkit images build, or labkit images import FILE")
    if "pool overlaps" in low:
        return UserError("The stack's network address was taken by another network in the meantime.", "labkit up")
    if "no space left" in low:
        return UserError("The Docker engine's disk is full.", "docker system prune")
    details = said.splitlines()[-8:] if len(said.splitlines()) > 1 else []
    return UserError(f"Docker failed: {last}", "labkit doctor", details=details)


def remove(api: Any, project: str, *, volumes: bool) -> None:
    """Remove all containers and networks of a project, and with `volumes` its data. Finds them by compose's labels."""
    label = {"label": [f"com.docker.compose.project={project}"]}
    for container in api.containers(all=True, filters=label):
        api.remove_container(container["Id"], force=True, v=True)
    for network in api.networks(filters=label):
        api.remove_network(network["Id"])
    for volume in (api.volumes(filters=label)["Volumes"] or []) if volumes else []:
        api.remove_volume(volume["Name"], force=True)
