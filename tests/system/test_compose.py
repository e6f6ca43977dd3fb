"""compose.yaml and provision.sql are ordinary files that a person can run by hand. They agree with the profile."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from labkit.stack import provision
from labkit.system.model import Server, Service
from tests.running import PROFILE, ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose" / "compose.yaml").read_text())["services"]
PASSWORD = "a password"
# The ports of the servers inside the containers' network, where each server has its name. Kafka has a separate listener for containers.
PORTS_INSIDE = {"kafka": 29092}
OF_EVERY_SERVICE = (
    *("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "TZ", "USER"),
    *("LABKIT_STACK", "LABKIT_INSTANCE", "LABKIT_COMPONENT", "EVENTUATE_MAC_ADDRESS", "HTTP_HOST", "HTTP_PORT", "HTTP_ALLOWED_HOSTS"),
)


def inside(part: Server | Service, user: str = "labkit") -> SimpleNamespace:
    """The part of the profile that other components refer to, as seen from a container."""
    port = PORTS_INSIDE.get(part.name, part.port)
    address = f"{part.name}:{port}"
    return SimpleNamespace(host=part.name, port=port, address=address, url=f"http://{address}", user=user, password=PASSWORD)


def test_the_components_are_those_of_the_profile_in_their_order() -> None:
    assert tuple(COMPOSE) == PROFILE.components


@pytest.mark.parametrize("service", PROFILE.services, ids=lambda service: service.name)
def test_a_service_gets_what_its_profile_says(service: Service) -> None:
    found = COMPOSE[service.name]
    assert found["command"] == ["python", "-m", service.module]
    environment = {name: value for name, value in found["environment"].items() if name not in OF_EVERY_SERVICE}
    environment |= {name: PASSWORD for name, value in environment.items() if "LABKIT_PASSWORD" in value}
    places = {part.name: inside(part) for part in PROFILE.parts} | {"account": SimpleNamespace(user=service.account, password=PASSWORD)}
    expected = {name: text.format_map(places) for name, text in service.environment.items()}
    if service.name == "relay":  # it listens where the others send their hints
        expected["RELAY_HINT"] = f"0.0.0.0:{service.port}"
    assert environment == expected
    assert found["environment"]["HTTP_PORT"] == str(service.port)


@pytest.mark.parametrize("part", PROFILE.parts, ids=lambda part: part.name)
def test_each_component_has_its_default_port(part: Server | Service) -> None:
    variable = f"LABKIT_{part.name.upper().replace('-', '_')}_PORT"
    assert COMPOSE[part.name]["ports"] == [f"127.0.0.1:${{{variable}:-{part.port}}}:{part.port}"]


def test_the_database_of_a_container_gets_the_same_statements() -> None:
    text = (ROOT / "compose" / "mysql" / "provision.sql").read_text()
    written = [re.sub(r"\s+", " ", line).removesuffix(";") for line in text.splitlines() if line and not line.startswith("--")]
    assert written == provision.plan(PROFILE)


def test_the_database_of_a_container_knows_every_password() -> None:
    known = COMPOSE["mysql"]["environment"]
    wanted = {name for statement in provision.plan(PROFILE) for name in re.findall(r"\$\{(\w+)\}", statement)}
    assert wanted <= known.keys()
