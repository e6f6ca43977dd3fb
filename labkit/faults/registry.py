"""All fault primitives, by verb."""

from labkit.faults import armed, outages, records, rows
from labkit.faults.primitive import Primitive

PRIMITIVES: dict[str, Primitive] = {
    each.verb: each
    for each in (
        armed.GATE,
        armed.CRASH,
        armed.BARRIER,
        records.DUPLICATE,
        records.REORDER,
        rows.LOCK,
        outages.KILL,
        outages.STOP,
        outages.PAUSE,
        outages.CUT,
        armed.DELAY,
        records.POISON,
        records.TRIM,
        records.TICK,
        armed.SWITCH,
    )
}
