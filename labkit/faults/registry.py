"""All fault primitives, by verb."""

from labkit.faults import component_faults, record_faults, row_lock, service_faults
from labkit.faults.primitive import Primitive

PRIMITIVES: dict[str, Primitive] = {
    each.verb: each
    for each in (
        service_faults.GATE,
        service_faults.CRASH,
        service_faults.BARRIER,
        record_faults.DUPLICATE,
        record_faults.REORDER,
        row_lock.LOCK,
        component_faults.KILL,
        component_faults.STOP,
        component_faults.PAUSE,
        component_faults.CUT,
        service_faults.DELAY,
        record_faults.POISON,
        record_faults.TRIM,
        record_faults.TICK,
        service_faults.SWITCH,
    )
}
