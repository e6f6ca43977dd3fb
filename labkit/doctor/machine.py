"""Architecture, memory and disk: what a stack needs compared with what is available."""

import platform
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.doctor import folders, images
from labkit.doctor.findings import BAD, NOTE, OK, UNKNOWN, Finding
from labkit.doctor.subject import Subject
from labkit.stack import compose, products
from labkit.stack.model import SUPERVISOR
from labkit.stack.runtime import DOCKER, NATIVE

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}

# MB under the load of the labs. Native processes share their libraries.
MEMORY_MB: Mapping[str, Mapping[str, int]] = {
    NATIVE: {"mysql": 130, "kafka": 180, "redis": 12, "service": 45, "supervisor": 10},
    DOCKER: {**{name: products.of(name).memory_mb for name in products.NAMES}, "service": compose.SERVICE_NEEDS_MB},
}
# MB of data and logs after a day of labs.
DISK_MB = {"mysql": 300, "kafka": 150, "redis": 10, "logs": 40}
CACHE_MB = {"Kafka's jars and archive": 100, "a prepared database": 120}  # natively, and only once
SAME_MACHINE = 0.95  # an engine with a smaller share of the memory runs in a virtual machine or has a limit


def examine(subject: Subject) -> Iterator[Finding]:
    yield _architecture(subject)
    yield _memory(subject)
    yield _disk(subject)


def _architecture(subject: Subject) -> Finding:
    machine = ARCHITECTURES.get(platform.machine().lower(), platform.machine().lower())
    facts = {"machine": machine, "engine": subject.engine.architecture if subject.engine else None, "system": platform.platform()}
    if subject.takes_docker and subject.engine and subject.engine.architecture != machine:
        sentence = f"This machine is {machine}, the Docker engine {subject.engine.architecture}: containers are emulated, and slow."
        return Finding("machine.architecture", NOTE, sentence, facts=facts)
    if machine not in ARCHITECTURES.values():
        return Finding("machine.architecture", NOTE, f"This machine is {machine}; labkit is made for amd64 and arm64.", facts=facts)
    return Finding("machine.architecture", OK, f"The machine is {machine}, {platform.system()} {platform.release()}.", facts=facts)


def _memory(subject: Subject) -> Finding:
    import psutil

    parts = _parts(subject)
    needs, machine = sum(parts.values()), psutil.virtual_memory()
    facts: dict[str, Any] = {
        "needed_mb": dict(parts),
        "needed_sum_mb": needs,
        "machine_mb": round(machine.total / 1e6),
        "available_mb": round(machine.available / 1e6),
    }
    if subject.takes_docker:
        if subject.answers is None:
            return Finding("memory", UNKNOWN, "The Docker engine does not report how much memory it has.", "docker info", facts)
        engine = facts["engine_mb"] = round(float(subject.answers.info["MemTotal"]) / 1e6)
        if engine < needs:
            sentence = f"The Docker engine has {engine} MB of memory; the stack needs {needs} MB ({_by_part(subject, parts)})."
            return Finding("memory", BAD, sentence, compose.MORE_MEMORY, facts)
        if engine < SAME_MACHINE * facts["machine_mb"]:
            sentence = f"The Docker engine has {_size(engine)} of memory; the stack needs {needs} MB ({_by_part(subject, parts)})."
            return Finding("memory", OK, sentence, facts=facts)
    if subject.running:
        sentence = f"{_size(facts['available_mb'])} of memory are free beside the running stack."
        return Finding("memory", OK, sentence, facts=facts)
    sentence = f"{_size(facts['available_mb'])} of memory are free; the stack needs {needs} MB ({_by_part(subject, parts)})."
    if facts["available_mb"] < needs:
        return Finding("memory", BAD, sentence, "close other programs, or another stack: labkit down --name NAME", facts)
    return Finding("memory", OK, sentence, facts=facts)


def _parts(subject: Subject) -> dict[str, int]:
    """Return the memory needed per component, in MB."""
    sizes = MEMORY_MB[subject.taken]
    of_servers = {server.name: sizes[server.product] for server in subject.profile.servers}
    of_services = {service.name: sizes["service"] for service in subject.profile.services}
    return {**of_servers, **of_services, **({SUPERVISOR: sizes[SUPERVISOR]} if SUPERVISOR in sizes else {})}


def _by_part(subject: Subject, parts: Mapping[str, int]) -> str:
    """Describe the parts, for example `mysql 280, kafka 260, redis 15, 5 services 55 each`."""
    services = [service.name for service in subject.profile.services]
    others = [f"{name} {size}" for name, size in parts.items() if name not in services]
    servers = len(subject.profile.servers)
    return ", ".join([*others[:servers], f"{len(services)} services {parts[services[0]]} each", *others[servers:]])


def _disk(subject: Subject) -> Finding:
    """Examine the disk that holds the runtime's data."""
    needs = dict(DISK_MB)
    if subject.takes_docker:
        needs |= {f"image {kind}": size for kind, size in images.still_to_get(subject).items()}
        root = Path(str(subject.answers.info.get("DockerRootDir", ""))) if subject.answers else Path()
        if not root.is_absolute() or folders.existing(root) != root:
            sentence = f"The Docker engine's disk cannot be measured from here; the stack needs {_size(sum(needs.values()))} of it."
            return Finding("disk", NOTE, sentence, "docker system df", {"needed_mb": needs})
        where, fix = root, "docker system prune"
    else:
        where, fix = paths.home(), f"free some space, or keep the data elsewhere: export LABKIT_HOME=DIR (now {paths.home()})"
        if folders.existing(paths.cache()) != paths.cache():
            needs |= CACHE_MB
    free, total = _free_mb(where), sum(needs.values())
    facts = {"place": str(where), "free_mb": free, "needed_mb": needs, "needed_sum_mb": total}
    sentence = f"{_size(free)} of disk are free at {where}; the stack needs {_size(total)}"
    if free < total and not subject.running:
        return Finding("disk", BAD, f"{sentence} ({', '.join(f'{name} {size}' for name, size in needs.items())}).", fix, facts)
    return Finding("disk", OK, f"{sentence}.", facts=facts)


def _free_mb(place: Path) -> int:
    return round(shutil.disk_usage(folders.existing(place)).free / 1e6)


def _size(megabytes: int) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes} MB"
