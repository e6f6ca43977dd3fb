"""The modules of stories name nothing that a profile says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.system import find
from labkit.system.model import Profile

LABKIT = Path(__file__).parents[2] / "labkit"
MODULES = [*sorted((LABKIT / "story").glob("*.py")), *(LABKIT / name for name in ("trace.py", "commands/trace.py", "lab/diagram.py"))]


def said(profile: Profile) -> Iterator[str]:
    yield from (channel.name for channel in profile.channels)
    yield from (subscription.subscriber for subscription in profile.subscriptions)
    yield from (message.name for message in profile.messages)
    yield from (server.title for server in profile.servers)
    yield from (str(table) for table in profile.tables)
    yield from profile.schemas
    yield from (service.account for service in profile.services if service.account and service.schema)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(LABKIT)))
def test_no_topic_group_schema_table_account_message_or_product(module: Path) -> None:
    source = module.read_text()
    names = {name for profile in find.names() for name in said(find.profile(profile) or find.default())}
    assert sorted(name for name in names if name in source) == []
