"""The data model of a stack."""

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
    """One process of a stack. `digest` covers the service's files as of its start; it is empty for a server."""

    name: str
    kind: str  # a server's product, or "service"
    endpoint: Endpoint
    version: str = ""
    port_note: str = ""  # why the port is not the default one
    digest: str = ""


def no_component(profile: Profile, name: str, next_step: str, others: Sequence[str] = ()) -> UserError:
    """Return the error for an unknown component name. `others` are further names that the command accepts."""
    known = ", ".join((*profile.components, *others))
    return UserError(f"There is no component {name!r}; a stack has {known}.", next_step, exit_code=ExitCode.USAGE)


@dataclass(frozen=True)
class Stack:
    """A stack as it was last brought up. It does not say whether the stack runs now."""

    name: str
    directory: Path
    runtime: str
    profile: Profile  # defines its components
    source: Path  # the folder that its services run from
    address_bits: int  # 24 bits: this stack's own part of message ids
    components: tuple[Component, ...]
    controller_port: int  # a broker's second port, 0 if it has none

    def __getitem__(self, name: str) -> Component:
        """Raises UserError for a component that the stack's profile does not have."""
        for component in self.components:
            if component.name == name:
                return component
        raise self.no_component(name, "labkit status")

    def no_component(self, name: str, next_step: str, others: Sequence[str] = ()) -> UserError:
        """See the function no_component."""
        return no_component(self.profile, name, next_step, others)

    @property
    def names(self) -> tuple[str, ...]:
        """All components, in start order."""
        return self.profile.components

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(service.name for service in self.profile.services)

    @property
    def servers(self) -> tuple[str, ...]:
        return tuple(server.name for server in self.profile.servers)

    def url(self, name: str) -> str:
        """Return for example `http://127.0.0.1:8081`."""
        return str(self[name].endpoint)

    @property
    def accounts(self) -> accounts.Accounts:
        """The current accounts. The next `up` may change them."""
        return accounts.of(self.directory)

    def mysql_as(self, user: str) -> Account:
        endpoint = self["mysql"].endpoint
        return Account(endpoint.host, endpoint.port, user, self.accounts.mysql(user))

    @property
    def mysql(self) -> Account:
        """The administrator, with read and write access to all tables and no access to files."""
        return self.mysql_as(accounts.ADMIN)

    @property
    def observer(self) -> Account:
        """The observer: may read every table and replicate, and may not write."""
        return self.mysql_as(accounts.OBSERVER)

    def account_of(self, server: str) -> Account:
        """Return the account of a server that has one account for all clients."""
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
        """The accounts of the servers that have one account for all clients, by server name."""
        return {server.name: self.account_of(server.name) for server in self.profile.servers if server.user}

    @property
    def ports(self) -> list[int]:
        """All ports that the stack listens on."""
        return [port for component in self.components for port in self.ports_of(component.name)]

    def ports_of(self, name: str) -> list[int]:
        """Return all ports of one component. The port for its clients comes first."""
        return [self[name].endpoint.port, *([self.controller_port] if name == self.profile.broker and self.controller_port else [])]

    def own_address_bits(self, service: str) -> int:
        """Return the 48 bits that identify the service in message ids."""
        return self.address_bits << 24 | (self.services.index(service) + 1) << 16
