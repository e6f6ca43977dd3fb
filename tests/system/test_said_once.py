"""Every fact about the system under study is in one place, its profile: no other module of labkit names a channel, group, account, schema,
table or message type, nor a broker's product."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.system import find
from labkit.system.model import Profile
from tests.running import ROOT

# the system itself, and the packages about products: those that use, start, download or look for one
MAY_NAME_ALL = ("labkit/system/",)
MAY_NAME_PRODUCTS = ("labkit/brokers/", "labkit/servers/", "labkit/stack/products/", "labkit/images/", "labkit/doctor/", "labkit/setup.py")
SERVICES_MAY_NAME_PRODUCTS = ("services/messaging/brokers/", "services/wiring.py")
PROFILES = [found for name in find.names() if (found := find.profile(name)) is not None]


def names_of(profile: Profile) -> Iterator[str]:
    yield from (channel.name for channel in profile.channels)
    yield from (subscription.subscriber for subscription in profile.subscriptions)
    yield from (message.name for message in profile.messages)
    yield from profile.schemas
    yield from (service.account for service in profile.services if service.account not in ("", service.name))
    yield from (table.table for table in profile.tables if "_" in table.table)


def sources(top: str) -> list[Path]:
    return sorted(path for path in (ROOT / top).rglob("*") if path.suffix in (".py", ".sql", ".lua"))


def places(top: str, wanted: re.Pattern[str], allowed: tuple[str, ...]) -> list[str]:
    found = []
    for path in sources(top):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(allowed):
            lines = path.read_text(encoding="utf-8").splitlines()
            found += [f"{name}:{number}: {line.strip()}" for number, line in enumerate(lines, 1) if wanted.search(line)]
    return found


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_only_the_profile_names_what_flows(profile: Profile) -> None:
    names = "|".join(map(re.escape, sorted(set(names_of(profile)))))
    assert places("labkit", re.compile(rf"(?<![\w.])({names})(?!\w)"), MAY_NAME_ALL) == []


def test_no_room_but_those_of_products_names_a_broker() -> None:
    products = {profile.broker_server.product for profile in PROFILES}
    assert places("labkit", re.compile("|".join(products), re.IGNORECASE), (*MAY_NAME_ALL, *MAY_NAME_PRODUCTS)) == []


def test_no_service_names_a_broker() -> None:
    products = {profile.broker_server.product for profile in PROFILES}
    assert places("services", re.compile("|".join(products), re.IGNORECASE), SERVICES_MAY_NAME_PRODUCTS) == []


def test_names_are_found_where_they_are() -> None:
    """The search works: the names are found in the profiles themselves."""
    assert places("labkit/system", re.compile("OrderCreated"), ()) != []
    assert places("labkit", re.compile("kafka"), ()) != []
