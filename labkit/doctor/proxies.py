"""Proxy variables. If a proxy is set and 127.0.0.1 is not excepted, requests to the stack go to the proxy instead."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from labkit import user_files
from labkit.doctor.findings import BAD, NOTE, OK, Finding
from labkit.doctor.subject import Subject
from labkit.redaction.redact import without_userinfo

NAMES = ("http_proxy", "https_proxy", "all_proxy")
LOCAL = ("127.0.0.1", "localhost")
CONTAINERS = ("customers", "orders", "order-history", "mysql", "kafka", "redis", "relay")


def examine(subject: Subject) -> Iterator[Finding]:
    yield _of_environment()
    if subject.takes_docker:
        yield from _of_containers()


def _of_environment() -> Finding:
    found = {name: value for lower in NAMES for name in (lower, lower.upper()) if (value := os.environ.get(name))}
    shown = ", ".join(f"{name}={without_userinfo(value)}" for name, value in found.items())
    if not found:
        return Finding("proxy", OK, "No proxy variable is set.")
    # some programs read only one of the two spellings
    spellings = [name for name in ("no_proxy", "NO_PROXY") if os.environ.get(name)]
    lacking = [host for host in LOCAL if not spellings or any(not _excepted(host, os.environ[name]) for name in spellings)]
    facts = {"variables": sorted(found), "no_proxy": [os.environ[name] for name in spellings]}
    if lacking:
        kept = os.environ[spellings[0]] + "," if spellings else ""
        sentence = f"A proxy is set ({shown}) and NO_PROXY lacks {' and '.join(lacking)}: curl would ask the proxy for the stack."
        return Finding("proxy", BAD, sentence, f"export NO_PROXY={kept}{','.join(LOCAL)} no_proxy={kept}{','.join(LOCAL)}", facts)
    return Finding("proxy", OK, f"A proxy is set ({shown}), and NO_PROXY excludes this machine.", facts=facts)


def _excepted(host: str, exceptions: str) -> bool:
    """Return whether the list excepts a host, by the rules of curl and Python. Networks (127.0.0.0/8) do not count: not all programs
    support them."""
    entries = [entry.strip().lstrip(".").partition(":")[0] for entry in exceptions.split(",")]
    return "*" in entries or host in entries


def _of_containers() -> Iterator[Finding]:
    """Report a proxy in the Docker client's configuration: docker passes it to every container that it creates."""
    path = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser() / "config.json"
    try:
        given = user_files.json_of(path)["proxies"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for settings in given.values() if isinstance(given, Mapping) else ():
        proxies = [name for name in ("httpProxy", "httpsProxy") if settings.get(name)]
        lacking = [host for host in CONTAINERS if not _excepted(host, str(settings.get("noProxy", "")))]
        if proxies and lacking:
            sentence = f"{path} gives containers a proxy, and its noProxy lacks {', '.join(lacking)}; labkit's services do not use it."
            yield Finding("proxy.containers", NOTE, sentence, facts={"lacking": lacking})
            return
