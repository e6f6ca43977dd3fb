"""The stack's network: choose its subnet, cut containers off it, and join them to it again."""

import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit import docker_engine, paths
from labkit.errors import Damaged
from labkit.stack.docker import status
from labkit.stack.docker.containers import PROJECT, RUNNING_STATES, Containers
from labkit.stack.runtime import CUT


def subnet(containers: Containers, project: str, previous: str | None) -> str:
    """Return the stack's subnet: that of its network, or one that the engine finds free.

    A container can get a fixed address back only in a subnet that was configured explicitly. So this creates a trial network, takes the
    subnet that the engine chose, and configures that subnet.
    """
    query = json.dumps({"label": [f"{PROJECT}={project}"]})
    if previous and containers.get(f"/networks?filters={docker_engine.quoted(query)}"):
        return previous
    trial = containers.sdk.create_network(f"{project}-trial", labels={PROJECT: project})
    try:
        chosen: str = containers.sdk.inspect_network(trial["Id"])["IPAM"]["Config"][0]["Subnet"]
        return chosen
    finally:
        containers.sdk.remove_network(trial["Id"])


def cut(containers: Containers, components: Collection[str]) -> None:
    containers.for_each_in(RUNNING_STATES, components, lambda name: _cut(containers, name))


def _cut(containers: Containers, component: str) -> None:
    """Save the container's network settings before the disconnect: the engine forgets them, the aliases in particular."""
    for network, settings in containers.inspect(containers.id_of(component))["NetworkSettings"]["Networks"].items():
        saved = {"network": network, "aliases": settings["Aliases"] or [], "address": settings["IPAddress"]}
        paths.write(_saved_settings(containers, component), json.dumps(saved))
        containers.post(f"/networks/{docker_engine.quoted(network)}/disconnect", {"Container": containers.id_of(component)})


def join(containers: Containers, components: Collection[str]) -> None:
    """Also joins containers that another program disconnected."""
    listed = containers.listed()

    def is_cut(name: str) -> bool:
        return _saved_settings(containers, name).exists() or status.halted(listed[name]) == CUT

    cut_off = [name for name in components if name in listed and is_cut(name)]
    containers.for_each_in({*RUNNING_STATES, "created", "exited"}, cut_off, lambda name: _join(containers, name))


def _join(containers: Containers, component: str) -> None:
    settings = _settings_before_cut(containers, component)
    if not containers.listed()[component]["NetworkSettings"]["Networks"]:
        fixed_address = {"IPAMConfig": {"IPv4Address": settings["address"]}} if settings["address"] else {}
        endpoint = {"Aliases": settings["aliases"], **fixed_address}
        network = docker_engine.quoted(settings["network"])
        containers.post(f"/networks/{network}/connect", {"Container": containers.id_of(component), "EndpointConfig": endpoint})
    _saved_settings(containers, component).unlink(missing_ok=True)


def _settings_before_cut(containers: Containers, component: str) -> dict[str, Any]:
    """Return the container's network settings that `cut` saved, or compose's defaults."""
    defaults = {"network": f"{containers.project}_default", "aliases": [component], "address": ""}
    with suppress(OSError, Damaged):
        saved = paths.read_json(_saved_settings(containers, component), dict, "labkit up")
        if all(isinstance(saved.get(key), type(value)) for key, value in defaults.items()):
            return dict(saved)
    return defaults


def _saved_settings(containers: Containers, component: str) -> Path:
    return _folder(containers) / f"{component}.json"


def _folder(containers: Containers) -> Path:
    return containers.directory / "cut"


def forget_cuts(containers: Containers) -> None:
    """Remove the saved settings of containers that no longer exist."""
    for saved in _folder(containers).glob("*.json"):
        with suppress(OSError):
            saved.unlink()
