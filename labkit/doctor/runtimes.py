"""The runtimes that can be used, and the reasons why others cannot."""

from collections.abc import Iterator

from labkit import docker_engine
from labkit.doctor.findings import BAD, OK, Finding, unless
from labkit.doctor.subject import Subject
from labkit.errors import UserError
from labkit.stack import installed
from labkit.stack.runtime import NATIVE


def examine(subject: Subject) -> Iterator[Finding]:
    if subject.refusal and (subject.no_engine is None or subject.no_engine.message != subject.refusal.message):
        yield Finding("runtime", BAD, subject.refusal.message, subject.refusal.next_step or "labkit up --help")
    yield from _docker(subject)
    yield _native(subject)


def _docker(subject: Subject) -> Iterator[Finding]:
    found = subject.engine
    if found is None:
        assert subject.no_engine is not None
        problem = subject.no_engine
        yield Finding("docker.engine", unless(subject.takes_docker), problem.message, _fix(problem), {"kind": problem.kind})
        return
    about = {"version": found.version, "host": found.host, "architecture": found.architecture}
    yield Finding("docker.engine", OK, f"Docker engine {found.version} answers at {found.host}.", facts=about)
    try:
        version = docker_engine.compose_version()
    except docker_engine.NoEngine as problem:
        yield Finding("docker.compose", unless(subject.takes_docker), problem.message, _fix(problem), {"kind": problem.kind})
    else:
        yield Finding("docker.compose", OK, f"Docker Compose is {version}.", facts={"version": version})


def _fix(problem: UserError) -> str:
    return problem.next_step or "https://docs.docker.com/engine/install"


def _native(subject: Subject) -> Finding:
    """Examine the native runtime. Its problems are harmless if the stack runs on Docker."""
    try:
        has = installed.find_all()
    except UserError as error:
        verdict = unless(subject.taken == NATIVE)
        return Finding("native.servers", verdict, f"To run as processes: {error.message}", error.next_step or "labkit setup")
    mysql, kafka, redis = (has.servers[product] for product in ("mysql", "kafka", "redis"))
    versions = {
        "mysql": f"{mysql.kind} {mysql.version}",
        "kafka": f"Kafka {kafka.version}",
        "java": f"Java {kafka.java_version}",
        "redis": f"{redis.kind} {redis.version}",
    }
    return Finding("native.servers", OK, f"This machine has {', '.join(versions.values())}.", facts=versions)
