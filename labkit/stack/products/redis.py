"""The Redis or Valkey product."""

import os
import shlex
import shutil
from pathlib import Path

from labkit import paths
from labkit.account import Account
from labkit.preparation_report import Preparing
from labkit.servers import redis
from labkit.stack import stores
from labkit.stack.model import Stack
from labkit.stack.products import Started
from labkit.stack.runtime import NATIVE

CLIENTS = ("redis-cli", "valkey-cli")


class Redis:
    grace_s = 10.0
    memory_mb = 15
    has_second_port = False
    container_shell = ("sh",)
    needed = "Redis or Valkey"

    def find(self) -> redis.RedisServer | None:
        return redis.find()

    def version(self, found: redis.RedisServer) -> str:
        return f"{found.kind} {found.version}"

    def prepare(self, found: redis.RedisServer, data: Path, scratch: Path, view: Preparing) -> None:
        data.mkdir(parents=True, exist_ok=True)

    def started(self, found: redis.RedisServer, stack: Stack, name: str, data: Path) -> Started:
        account = stack.account_of(name)
        argv = redis.command(found, data=data, port=account.port, password=account.password)
        return Started(argv, settings=redis.settings_of(data))

    def same_start(self, argv: list[str]) -> list[str]:
        return argv

    def repaired(self, log: list[str]) -> str | None:
        return None

    def account(self, stack: Stack, name: str) -> Account:
        return stack.account_of(name)

    def not_ready(self, account: Account, timeout_s: float) -> str | None:
        try:
            answer = stores.ask_redis(account, "PING", timeout=timeout_s)
        except OSError as error:
            return f"it does not answer at {account}: {error}"
        return None if answer == "+PONG" else f"it answers {answer[:80]}"

    def container_settings(self, stack: Stack, name: str) -> dict[str, str]:
        return {"LABKIT_REDIS_PASSWORD": stack.account_of(name).password}

    def client(self, stack: Stack, name: str) -> tuple[list[str], dict[str, str]] | None:
        account, found = stack.account_of(name), next(filter(None, map(shutil.which, CLIENTS)), None)
        return ([found, "-h", account.host, "-p", str(account.port)], self._login(stack, name)) if found else None

    def shell_environment(self, stack: Stack, name: str) -> dict[str, str]:
        path = {"PATH": self._with_own_port(stack, name)} if stack.runtime == NATIVE else {}
        return {**self._login(stack, name), **path}

    def hint(self, stack: Stack, name: str) -> str:
        return "Logged in, at this stack's port: redis-cli"

    @staticmethod
    def _login(stack: Stack, name: str) -> dict[str, str]:
        password = stack.account_of(name).password
        return {"REDISCLI_AUTH": password} if password else {}

    @staticmethod
    def _with_own_port(stack: Stack, name: str) -> str:
        """Return a PATH with a redis-cli wrapper that uses this stack's port. redis-cli reads no port variable, and 6379 may be another
        server.
        """
        folder, port = stack.directory / "bin", stack[name].endpoint.port
        for client in CLIENTS:
            if real := shutil.which(client):
                paths.write_private(folder / client, f'#!/bin/sh\nexec {shlex.quote(real)} -p {port} "$@"\n')
                (folder / client).chmod(0o700)
        return os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])
