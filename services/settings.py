"""Configuration from the environment, validated at start. A service with wrong settings logs one line and ends."""

import os
import sys
from collections.abc import Mapping

import msgspec


class Settings:
    """Reads settings and collects all errors, so that they are reported together."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._wrong: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        value = self._environment.get(name) or default
        if value is None:
            self._wrong.append(f"{name} is not set")
            return ""
        return value

    def optional(self, name: str) -> str | None:
        return self._environment.get(name) or None

    def number(self, name: str, *, lowest: int = 0, highest: int = 65535, default: int | None = None) -> int:
        value = self.text(name, None if default is None else str(default))
        if not _is_whole(value):
            if value:
                self._wrong.append(f"{name} must be a whole number, it is {value!r}")
            return lowest
        number = int(value)
        if not lowest <= number <= highest:
            self._wrong.append(f"{name} must be between {lowest} and {highest}, it is {number}")
        return number

    def address(self, name: str) -> tuple[str, int]:
        """Returns (host, port) from a setting of the form host:port."""
        host, _, port = self.text(name).rpartition(":")
        if not host or not _is_whole(port):
            self._wrong.append(f"{name} must be host:port, it is {self._environment.get(name, '')!r}")
            return "", 0
        return host, int(port)

    def address_bits(self) -> int:
        """The instance's own 48 bits of the message ids."""
        return self.number("EVENTUATE_MAC_ADDRESS", highest=(1 << 48) - 1)

    def instance(self) -> str:
        """The unique name of this process: `default.orders.0`."""
        parts = self.text("LABKIT_STACK", "default"), self.text("LABKIT_COMPONENT"), self.text("LABKIT_INSTANCE", "0")
        return ".".join(parts)

    def check(self) -> None:
        """End the process with exit code 78 (configuration error) when any setting is wrong."""
        if self._wrong:
            line = {"event": "wrong settings", "wrong": self._wrong}
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
            sys.exit(78)


def _is_whole(text: str) -> bool:
    """Stricter than int(), which also reads "1_0", " 1 " and digits of other scripts."""
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20
