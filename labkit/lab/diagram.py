"""The stack as a picture for guides, drawn from what labkit knows of it: who has which store, publishes where, and takes what."""

import re

from labkit.faults.targets import CHANNELS, SUBSCRIPTIONS
from labkit.stack.model import SCHEMAS

_BLOCK = re.compile(r"(^```stack\n)(.*?)(^```$)", re.MULTILINE | re.DOTALL)
_OWNER = {"customers": ("customer_db", "customer"), "orders": ("order_db", "order")}


def stack() -> str:
    """
    customers ─▶ MySQL customer_db, outbox ─▶ relay ─▶ Kafka Customer ─▶ orders, order-history
    """
    width = max(len(f"MySQL {schema}, outbox") for schema in SCHEMAS)
    lines = ["you ─▶ gateway ─▶ customers, orders, order-history", ""]
    for service, (schema, channel) in _OWNER.items():
        takers = ", ".join(s.component for s in SUBSCRIPTIONS if CHANNELS[channel] in s.channels)
        topic = CHANNELS[channel].rpartition(".")[2]
        store = f"MySQL {schema}, outbox"
        lines.append(f"{service:14}─▶ {store:{width}} ─▶ relay ─▶ Kafka {topic:9}─▶ {takers}")
    views = [s.component for s in SUBSCRIPTIONS if s.keeps_positions]
    lines += [f"{view:14}─▶ Redis" for view in views]
    return "\n".join(lines) + "\n"


def drawn(guide: str) -> str:
    """The guide with its pictures as they should be."""
    return _BLOCK.sub(lambda block: f"{block[1]}{stack()}{block[3]}", guide)
