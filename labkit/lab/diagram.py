"""The stack as a picture for guides, drawn from what labkit knows of it: who has which store, publishes where, and takes what."""

import re

from labkit.faults.targets import CHANNELS, SUBSCRIPTIONS

WIDTH = 14  # of a component's name
_BLOCK = re.compile(r"(^```stack\n)(.*?)(^```$)", re.MULTILINE | re.DOTALL)
_OWNER = {"customers": ("customer_db", "customer"), "orders": ("order_db", "order")}


def stack() -> str:
    """
    customers ─▶ MySQL customer_db with outbox
                 ─▶ relay ─▶ Kafka Customer ─▶ orders, order-history
    """
    lines = ["you ─▶ gateway ─▶ customers, orders, order-history", ""]
    for service, (schema, channel) in _OWNER.items():
        takers = ", ".join(s.component for s in SUBSCRIPTIONS if CHANNELS[channel] in s.channels)
        topic = CHANNELS[channel].rpartition(".")[2]
        lines.append(f"{service:{WIDTH}}─▶ MySQL {schema} with outbox")
        lines.append(f"{'':{WIDTH}}   ─▶ relay ─▶ Kafka {topic} ─▶ {takers}")
    views = [s.component for s in SUBSCRIPTIONS if s.keeps_positions]
    lines += [f"{view:{WIDTH}}─▶ Redis" for view in views]
    return "\n".join(lines) + "\n"


def drawn(guide: str) -> str:
    """The guide with its pictures as they should be."""
    return _BLOCK.sub(lambda block: f"{block[1]}{stack()}{block[3]}", guide)
