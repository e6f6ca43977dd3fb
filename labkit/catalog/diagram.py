"""The stack as a diagram for guides, drawn from the profile: which service has which store, where it publishes, and which components
consume."""

import re

from labkit.system.model import Profile

ENTRANCE = "gateway"
WIDTH = 14  # of a component's name
_BLOCK = re.compile(r"(^```stack\n)(.*?)(^```$)", re.MULTILINE | re.DOTALL)


def stack(profile: Profile) -> str:
    """Return the diagram of a profile:

    service ─▶ database and schema with outbox
               ─▶ relay ─▶ channel of the broker ─▶ consumers
    """
    behind = ", ".join(each.name for each in profile.services if f"{{{each.name}.url}}" in profile.service(ENTRANCE).environment.values())
    titles = {server.name: server.title for server in profile.servers}
    lines = [f"you ─▶ {ENTRANCE} ─▶ {behind}", ""]
    for service in profile.services:
        if not service.schema:
            continue
        lines.append(f"{service.name:{WIDTH}}─▶ {titles[profile.database]} {service.schema} with outbox")
        for channel in profile.channels:
            if any(message.sender == service.name and message.channel == channel for message in profile.messages):
                takers = ", ".join(each.component for each in profile.subscriptions if channel in each.channels)
                lines.append(f"{'':{WIDTH}}   ─▶ relay ─▶ {titles[profile.broker]} {channel.short} ─▶ {takers}")
    lines += [f"{each.component:{WIDTH}}─▶ {titles[each.store]}" for each in profile.subscriptions if each.stores_positions]
    return "\n".join(lines) + "\n"


def drawn(guide: str, profile: Profile) -> str:
    """Return the guide with its diagrams brought up to date."""
    return _BLOCK.sub(lambda block: f"{block[1]}{stack(profile)}{block[3]}", guide)
