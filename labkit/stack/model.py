"""What runs, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.account import Account
from labkit.errors import ExitCode, UserError
from labkit.stack import accounts
from labkit.system.model import Profile

SUPERVISOR = "supervisor"


@dataclass(frozen=True)
class Endpoint:
    host: str
    port: int
    scheme: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}" if self.scheme else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Component:
    """One process of a stack. `digest` is that of the services' files when it was started, empty for a server."""

    name: str
    kind: str  # the product of a server, or service
    endpoint: Endpoint
    version: str = ""
    port_note: str = ""  # why it has another than its default port
    digest: str = ""


def no_component(profile: Profile, name: str, next_step: str, others: Sequence[str] = ()) -> UserError:
    """For a name that a person gave; `others` are further names that would have done."""
    known = ", ".join((*profile.components, *others))
    return UserError(f"There is no component {name!r}; a stack has {known}.", next_step, exit_code=ExitCode.USAGE)


@dataclass(frozen=True)
class Stack:
    """A stack as it was last brought up; whether it runs now is another question (`pid`)."""

    name: str
    directory: Path
    runtime: str
    profile: Profile  # which components it has
    source: Path  # the folder that its services run from
    address_bits: int  # 24 bits, this stack's own part of message ids
    components: tuple[Component, ...]
    controller_port: int  # a broker's own second port, 0 where it has none

    def __getitem__(self, name: str) -> Component:
        """Raises UserError for a component that the stack's profile does not have."""
        for component in self.components:
            if component.name == name:
                return component
        raise self.no_component(name, "labkit status")

    def no_component(self, name: str, next_step: str, others: Sequence[str] = ()) -> UserError:
        """See no_component."""
        return no_component(self.profile, name, next_step, others)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all components, in the order in which they start."""
        return self.profile.components

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(service.name for service in self.profile.services)

    @property
    def servers(self) -> tuple[str, ...]:
        return tuple(server.name for server in self.profile.servers)

    def url(self, name: str) -> str:
        """`http://127.0.0.1:8081`"""
        return str(self[name].endpoint)

    @property
    def accounts(self) -> accounts.Accounts:
        """As they are now: the next `up` may change them."""
        return accounts.of(self.directory)

    def mysql_as(self, user: str) -> Account:
        endpoint = self["mysql"].endpoint
        return Account(endpoint.host, endpoint.port, user, self.accounts.mysql(user))

    @property
    def mysql(self) -> Account:
        """The administrator: may read and write all tables, and no file."""
        return self.mysql_as(accounts.ADMIN)

    @property
    def observer(self) -> Account:
        """May read every table and replicate, and change nothing."""
        return self.mysql_as(accounts.OBSERVER)

    def account_of(self, server: str) -> Account:
        """Of a server that has one account for all its clients."""
        endpoint = self[server].endpoint
        return Account(endpoint.host, endpoint.port, self.profile.server(server).user, self.accounts.of_server(server))

    @property
    def broker(self) -> Account:
        return self.account_of(self.profile.broker)

    @property
    def redis(self) -> Account:
        return self.account_of("redis")

    @property
    def logins(self) -> dict[str, Account]:
        """Of the servers that have one account for all their clients, by the server's name."""
        return {server.name: self.account_of(server.name) for server in self.profile.servers if server.user}

    @property
    def ports(self) -> list[int]:
        """All that it listens on."""
        return [port for component in self.components for port in self.ports_of(component.name)]

    def ports_of(self, name: str) -> list[int]:
        """All that one component listens on, first the one that others ask."""
        return [self[name].endpoint.port, *([self.controller_port] if name == self.profile.broker and self.controller_port else [])]

    def own_address_bits(self, service: str) -> int:
        """48 bits, the service's own part of message ids."""
        return self.address_bits << 24 | (self.services.index(service) + 1) << 16
