"""The likely reason why a received message had no effect: the handler that the service called for it, and Python's warnings."""

from labkit.trace.tables import EvidenceTables


def handler_words(tables: EvidenceTables, service: str, event: str, message_id: str | None) -> str:
    """Return the end of a sentence about a service that took a message and did nothing with it, as far as the service's log shows."""
    called = tables.rows("SELECT DISTINCT handler FROM handlings WHERE component = ? AND message_id = ?", service, message_id)
    names = [str(name) for (name,) in called if name is not None]
    if not names:
        return f"which handler takes {event}?"
    warnings = [str(text) for (text,) in tables.rows("SELECT text FROM warnings WHERE component = ?", service)]
    own = [text for text in warnings if "never awaited" in text] or warnings
    warned = f", and Python warned: {own[-1]}" if own else ""
    return f"its handler {names[0]} ran and changed nothing{warned}."
