"""Faults of whole components: kill, stop, pause, cut. F7.

"While it was down" means the interval between two binlog positions in the facts, `binlog_at_stop` and `binlog_at_start`.
"""

from labkit.errors import UserError
from labkit.faults import components, positions
from labkit.faults.ledger import Fault, Ledger
from labkit.faults.primitive import Facts, Primitive, Proof
from labkit.stack import runtime
from labkit.stack.model import Stack

ENDING = ("kill", "stop")


def _others(ledger: Ledger, fault: Fault, verbs: tuple[str, ...]) -> list[Fault]:
    """Return the other active faults of the same component."""
    return [f for f in ledger.open() if f.id != fault.id and f.target == fault.target and f.verb in verbs and f.state != "healing"]


def _end(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    if components.is_down(stack, fault.target):
        raise UserError(f"{fault.target} is not running.", "labkit status")
    run = components.identity(stack, fault.target)
    (components.kill if fault.verb == "kill" else components.stop)(stack, fault.target)
    return {"run": run, "binlog_at_stop": positions.binlog_position(stack)}


def _start(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    if _others(ledger, fault, ENDING):
        return {}
    facts: Facts = {"binlog_at_start": positions.binlog_position(stack)} if components.is_down(stack, fault.target) else {}
    components.start_only(stack, fault.target)
    return facts


def _runs(stack: Stack, ledger: Ledger, fault: Fault) -> str | None:
    if _others(ledger, fault, ENDING):
        return None
    return components.never_started(stack, fault.target, fault.healing)


def _prove_ended(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    """The parent saw the component end, and (while it is down) nothing answers in its place."""
    end = components.end_of(stack, fault.target, fault.made)
    if end is None:
        return Proof()
    seen = f"its parent saw that {fault.target} ended {end}"
    if not fault.over:
        why = components.answers(stack, fault.target)
        return Proof(seen, why)
    return Proof(seen, "another process runs in its place" if components.identity(stack, fault.target) != fault.facts.get("run") else None)


def _pause(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    components.pause(stack, fault.target)
    return {"run": components.identity(stack, fault.target), "binlog_at_stop": _binlog_unless_it_is(stack, fault.target)}


def _binlog_unless_it_is(stack: Stack, name: str) -> dict[str, object] | None:
    return None if name == "mysql" else positions.binlog_position(stack)  # a paused MySQL would block this query


def _unpause(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    if _others(ledger, fault, ("pause",)):
        return {}
    facts: Facts = {"binlog_at_start": _binlog_unless_it_is(stack, fault.target)}
    run = fault.facts.get("run") or components.identity(stack, fault.target)  # labkit may have died before it recorded the run
    components.unpause(stack, fault.target, run)
    return facts


def _goes_on(stack: Stack, ledger: Ledger, fault: Fault) -> str | None:
    if _others(ledger, fault, ("pause",)):
        return None
    return f"{fault.target} is still paused" if components.state(stack, fault.target) == runtime.PAUSED else None


def _prove_paused(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    if fault.over or fault.state != "active":
        return Proof()
    paused = components.state(stack, fault.target) == runtime.PAUSED
    return Proof(f"the system shows {fault.target} as stopped" if paused else None, components.answers(stack, fault.target))


def _cut(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    components.refuse(stack, "cut", fault.target)
    if components.is_down(stack, fault.target):
        raise UserError(f"{fault.target} is not running.", "labkit up")
    components.cut(stack, fault.target)
    return {"binlog_at_stop": _binlog_unless_it_is(stack, fault.target)}


def _join(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    if _others(ledger, fault, ("cut",)):
        return {}
    facts: Facts = {"binlog_at_start": _binlog_unless_it_is(stack, fault.target)}
    components.join(stack, fault.target)
    return facts


def _is_joined(stack: Stack, ledger: Ledger, fault: Fault) -> str | None:
    if _others(ledger, fault, ("cut",)):
        return None
    return f"{fault.target} is still cut off" if components.state(stack, fault.target) == runtime.CUT else None


def _prove_cut(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    if fault.over or fault.state != "active":
        return Proof()
    is_cut = components.state(stack, fault.target) == runtime.CUT
    return Proof(f"the engine shows {fault.target} without a network" if is_cut else None, components.answers(stack, fault.target))


KILL = Primitive("kill", "end a component at once (SIGKILL)", _end, _start, _runs, _prove_ended)
STOP = Primitive("stop", "stop a component gracefully (SIGTERM)", _end, _start, _runs, _prove_ended)
PAUSE = Primitive("pause", "freeze a component", _pause, _unpause, _goes_on, _prove_paused)
CUT = Primitive("cut", "cut a component off the network", _cut, _join, _is_joined, _prove_cut)
