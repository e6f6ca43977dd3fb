"""How the servers' own clients, mysql, redis-cli and Kafka's scripts, are logged in for whoever opens a shell: never by a command line."""

import os
import shlex
import shutil

from labkit import paths
from labkit.stack.model import Stack
from labkit.stack.runtime import NATIVE

SETTINGS = "client.properties"  # for Kafka's scripts: --command-config FILE
IN_CONTAINER = f"/tmp/{SETTINGS}"
SETTINGS_TEXT = "KAFKA_CLIENT_SETTINGS"
SHELL = f'umask 077; printf %s "${SETTINGS_TEXT}" >"$KAFKA_CLIENT"; unset {SETTINGS_TEXT}; exec sh'  # in a container


def login(stack: Stack, store: str) -> dict[str, str]:
    """The variables in which the clients of MySQL and Redis find their password."""
    if store == "mysql":
        return {"MYSQL_PWD": stack.mysql.password}
    return {"REDISCLI_AUTH": stack.redis.password} if store == "redis" and stack.redis.password else {}


def environment(stack: Stack, component: str) -> dict[str, str]:
    """The variables that the clients of this server read a login from, in a shell where it runs."""
    native = stack.runtime == NATIVE
    if component == "mysql":
        at = stack.mysql
        place = {"MYSQL_HOST": at.host, "MYSQL_TCP_PORT": str(at.port)} if native else {}
        return {**login(stack, component), **place}
    if component == "redis":
        found = login(stack, component)
        return {**found, **({"PATH": _with_own_port(stack)} if native else {})}
    if component == "kafka":
        if native:
            paths.write_private(stack.directory / SETTINGS, _properties(stack))
            return {"KAFKA_CLIENT": str(stack.directory / SETTINGS)}
        return {"KAFKA_CLIENT": IN_CONTAINER, SETTINGS_TEXT: _properties(stack)}
    return {}


def _with_own_port(stack: Stack) -> str:
    """PATH with a redis-cli before all others that reaches this stack: no variable tells redis-cli a port, and 6379 may be another's."""
    folder = stack.directory / "bin"
    for name in ("redis-cli", "valkey-cli"):
        if real := shutil.which(name):
            paths.write_private(folder / name, f'#!/bin/sh\nexec {shlex.quote(real)} -p {stack.redis.port} "$@"\n')
            (folder / name).chmod(0o700)
    return os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])


def hint(stack: Stack, component: str) -> str:
    """The command that is logged in there, as a sentence."""
    native = stack.runtime == NATIVE
    match component:
        case "mysql":
            return f"The administrator is logged in by: mysql --user={stack.mysql.user}"
        case "redis":
            return "Logged in, at this stack's port: redis-cli"
        case "kafka":
            where = stack.broker if native else "127.0.0.1:9092"
            return f"Kafka's own scripts log in by: kafka-topics.sh --bootstrap-server {where} --command-config $KAFKA_CLIENT --list"
        case _:
            return ""


def _properties(stack: Stack) -> str:
    """As Kafka's Java clients read them."""
    at = stack.broker
    if not at.password:
        return ""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    jaas = f'{module} required username="{at.user}" password="{at.password}";'
    return f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={jaas}\n"
