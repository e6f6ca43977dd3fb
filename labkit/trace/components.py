"""What the evidence shows about a component's current condition: whether it runs, and its latest complaint."""

from labkit.trace.model import Diagnosis, last_line
from labkit.trace.tables import EvidenceTables


def trouble(tables: EvidenceTables, component: str) -> Diagnosis | None:
    """Return why a component does nothing at present; None if it runs, as far as the evidence shows."""
    found = tables.row(
        "SELECT event, exit_code, signal, happened, detail FROM environment WHERE component = ? AND event "
        "IN ('start', 'end', 'adopt', 'pause', 'unpause', 'oom')"
        " ORDER BY happened DESC, event LIMIT 1",
        component,
    )
    if found is None or found[0] in ("start", "adopt", "unpause"):
        return None
    event, exit_code, number, happened, detail = found
    fault = tables.row("SELECT id, primitive FROM faults WHERE target = ? AND healed IS NULL ORDER BY id DESC", component)
    by = f" by fault {fault[0]} (labkit fault {fault[1]} {component})" if fault else ""
    fix = f"labkit heal {fault[0]}" if fault else "labkit up"
    if event == "pause":
        return Diagnosis(f"{component} is paused{by}: its process is stopped and does nothing.", fix)
    how = f"signal {number}" if number else f"exit code {exit_code}" if exit_code is not None else "nobody saw how"
    at = f" at {happened:%H:%M:%S}" if number or exit_code is not None else ""
    return Diagnosis(f"{component} is not running: it ended{at}{by} ({how}){f': {detail}' if detail else ''}.", fix)


def complaint(tables: EvidenceTables, component: str) -> str:
    """Return the component's latest complaint as the end of a sentence; empty if there is none."""
    found = tables.row("SELECT text FROM last_words WHERE component = ? ORDER BY said DESC NULLS LAST LIMIT 1", component)
    return f"; its last complaint: {last_line(found[0]).rstrip('.')}" if found else ""


def unreadable(tables: EvidenceTables, source: str, reason: str) -> Diagnosis:
    """Return why the tables, the records or the view could not be read: the trouble of their server, or else the recorded reason."""
    server = tables.system.holders.get(source, source)
    return trouble(tables, server) or Diagnosis(f"{tables.system.title(source)} could not be read: {reason}.", "labkit status")
