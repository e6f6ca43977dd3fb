"""docker compose and its files: the settings of a stack, and what the command's errors mean."""

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
from labkit.stack.ports import PortTaken
from labkit.system.model import Profile

if TYPE_CHECKING:
    from labkit.images.catalog import Image

SETTINGS = "compose.env"
PREFIX = "labkit-"  # of every project
DIRECTORY_LABEL = "labkit.directory"  # on all that is made for a stack: its directory, so that what it left can be found once that is gone
CONTROL = "control"
NOBODYS = range(59_157, 60_000)  # numbers of users that machines do not give to theirs
HEALTH_INTERVAL = "10s"  # labkit has probes of its own; the engine's checks only tell others
SERVICE_NEEDS_MB = 55  # what one takes on a quiet stack; for servers see Product.memory_mb
MORE_MEMORY = f"give it more (Docker Desktop: Settings, Resources); {docker_engine.NATIVELY}"


def project_of(directory: Path) -> str:
    """`labkit-NAME`, and a few characters more for a stack that is not in the user's own home of labkit."""
    usual = paths.usual_home() / "stacks" / directory.name
    suffix = "" if directory == usual else f"-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:8]}"
    return f"{PREFIX}{directory.name}{suffix}"


def command(directory: Path, *words: str) -> list[str]:
    """`docker compose` for the stack, with the settings that `write_settings` wrote."""
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
    """The settings come from the file alone: a variable of the caller's would win over it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LABKIT_", "COMPOSE_"))}
    return {**own, "DOCKER_HOST": docker_engine.find().host}


def refuse_paths(*folders: Path) -> None:
    """Raises UserError for a folder that Docker cannot mount: a colon ends a path there."""
    for folder in folders:
        if ":" in str(folder):
            raise UserError(f"Docker cannot mount {folder}: its path has a colon in it.", f"rename that folder; {docker_engine.NATIVELY}")


def check_version() -> None:
    """Raises UserError when the compose plugin is missing or too old."""
    try:
        docker_engine.compose_version()
    except docker_engine.NoEngine as error:
        raise UserError(error.message, f"{error.next_step}; {docker_engine.NATIVELY}") from None


def refuse_too_little_memory(found: docker_engine.Engine, images: "Mapping[str, Image]", profile: Profile) -> None:
    """Raises UserError before anything is started."""
    has = docker_engine.memory_mb(found)
    needs = sum(products.of(server.product).memory_mb for server in profile.servers) + SERVICE_NEEDS_MB * len(profile.services)
    if has < needs:
        raise UserError(
            f"The Docker engine has {has:.0f} MB of memory; the stack needs {needs} MB.",
            MORE_MEMORY,
        )


def write_settings(stack: Stack, images: Mapping[str, str], subnet: Callable[[str, str | None], str]) -> None:
    """compose.env: every variable of compose.yaml that labkit decides. `subnet` finds one, from the project and what it had before."""
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
    """As compose reads it literally."""
    return "'" + value.replace("'", "\\'") + "'"


def read_settings(directory: Path) -> dict[str, str]:
    try:
        lines = (directory / SETTINGS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}  # written anew before it is used
    return {name: value[1:-1].replace("\\'", "'") for name, _, value in (line.partition("=") for line in lines)}


def service_user() -> tuple[int, int]:
    """Whom the services run as: labkit's user, so that files pass between them; for root, nobody who is a user of this machine."""
    if os.getuid():
        return os.getuid(), os.getgid()
    known = {user.pw_uid for user in pwd.getpwall()} | {group.gr_gid for group in grp.getgrall()}
    free = next(number for number in NOBODYS if number not in known)
    return free, free


def _make_control_directory(control: Path, services: Collection[str], uid: int, gid: int) -> None:
    """What is mounted must be there, and what a service writes must be its user's."""
    (control / "armed").mkdir(parents=True, exist_ok=True)
    for name in services:
        hits = control / "hits" / name
        hits.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            for path in (hits, *hits.rglob("*")):
                os.chown(path, uid, gid)


def config_hashes(directory: Path) -> dict[str, str]:
    """What compose knows a container's configuration by, for each component. Asked again only when a file has changed."""
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
    """Create and start these; what runs as it should is left alone. Raises UserError."""
    words = ("up", "--detach", "--no-deps", "--no-build", "--pull", "never", "--quiet-pull", *names)
    done = docker_engine.run(command(directory, *words), environment=_environment(directory))
    if done.returncode != 0:
        raise explained(done.stderr, directory)


def lines_of(command: list[str], directory: Path) -> Iterator[tuple[str, str]]:
    """Of `compose logs`: component and line."""
    with subprocess.Popen(command, env=_environment(directory), stdout=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                container, _, text = line.rstrip("\n").partition("| ")
                yield container.strip().rpartition("-")[0], text
        finally:
            process.terminate()


def explained(said: str, directory: Path) -> UserError:
    """What the engine or compose said, as one sentence and the next step."""
    said = said.strip()
    last = said.splitlines()[-1] if said else "it said nothing"
    low = said.lower()
    if "port is already allocated" in low or "address already in use" in low:
        return PortTaken(f"A port was taken by another program in the meantime: {last}", "labkit up, which takes the next free one")
    if "no such image" in low or "manifest unknown" in low:
        return UserError(f"An image is not there: {last}", "labkit images build, or labkit images import FILE")
    if "pool overlaps" in low:
        return UserError("The stack's network address was taken by another network in the meantime.", "labkit up")
    if "no space left" in low:
        return UserError("The Docker engine's disk is full.", "docker system prune")
    details = said.splitlines()[-8:] if len(said.splitlines()) > 1 else []
    return UserError(f"Docker could not do that: {last}", "labkit doctor", details=details)


def remove(api: Any, project: str, *, volumes: bool) -> None:
    """Everything of a project, by compose's labels: containers, networks, and with `volumes` the data."""
    label = {"label": [f"com.docker.compose.project={project}"]}
    for container in api.containers(all=True, filters=label):
        api.remove_container(container["Id"], force=True, v=True)
    for network in api.networks(filters=label):
        api.remove_network(network["Id"])
    for volume in (api.volumes(filters=label)["Volumes"] or []) if volumes else []:
        api.remove_volume(volume["Name"], force=True)
