"""Apply and heal faults. The ledger is written before each action."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from labkit.errors import ExitCode, UserError
from labkit.faults import components, control, holder_process, kill_points, positions
from labkit.faults.ledger import ACTIVE, BY_HAND, HEALING, Fault, Ledger, Owner, this_process
from labkit.faults.primitive import Primitive, Proof
from labkit.stack.model import Stack

PROBE_S = 10.0  # seconds until a heal must show
LOOK_S = 0.02
OUTAGES = ("kill", "stop", "pause", "cut", "crash")


@dataclass(frozen=True)
class FaultSpec:
    """A fault to apply. See Fault for the fields."""

    verb: str
    target: str
    said: str
    settings: dict[str, object]


Wanted = Callable[[Stack], FaultSpec]
"""Returns the fault to apply, for the stack that it is applied to."""


def primitive(verb: str) -> Primitive:
    from labkit.faults.registry import PRIMITIVES

    return PRIMITIVES[verb]


def apply(stack: Stack, spec: FaultSpec, owner: Owner | None = None, *, seconds: float | None = None) -> Fault:
    """Apply the fault. If that fails, undo what was done and raise the error. With `seconds`, the fault heals by itself after that time."""
    ledger = Ledger(stack.directory)
    owner = owner or this_process(BY_HAND, f"labkit fault {spec.verb}")
    until = None if seconds is None else time.time() + seconds
    kind = primitive(spec.verb)
    fault = ledger.intend(spec.verb, spec.target, spec.said, spec.settings, owner, until)
    kill_points.reached("intent")
    try:
        if until is not None:
            holder_process.ensure(stack)
        facts = kind.apply(stack, ledger, fault)
    except BaseException:
        _take_back(stack, fault)
        raise
    kill_points.reached("act")
    known = ledger.get(fault.id)
    fault = ledger.tell("applied", fault, facts)
    kill_points.reached("applied")
    if known is not None and known.over:
        return heal(stack, fault, how="healed while it was being set")
    if kind.one_shot and facts.get("over", True):
        return heal(stack, fault, how="it leaves nothing behind")
    return fault


def _take_back(stack: Stack, fault: Fault) -> None:
    try:
        heal(stack, fault, how="it could not be applied")
    except UserError:
        return  # the fault stays in the ledger and the next command tries again; the user sees the first error


def heal(stack: Stack, fault: Fault, *, how: str = "healed") -> Fault:
    """Undo the fault and verify that nothing of it is left. A healed fault stays as it is. Raises UserError when something is left."""
    ledger = Ledger(stack.directory)
    with ledger.lock("heal.lock"):
        found = ledger.get(fault.id)
        if found is None or found.over:
            return found or fault
        fault = ledger.tell("healing", found, _last_proof(stack, ledger, found), this_process("heal", how))
        kill_points.reached("healing")
        kind = primitive(fault.verb)
        facts = kind.undo(stack, ledger, fault)
        kill_points.reached("undone")
        fault = ledger.tell("note", fault, facts)
        left = _left(stack, ledger, fault, kind)
        if left is not None:
            raise UserError(f"Fault {fault.id} ({fault.said}) is not healed: {left}.", "labkit status", exit_code=ExitCode.UNKNOWN)
        fault = ledger.tell("healed", fault, {"how": how})
    return _once_ready(stack, ledger, fault)


def _once_ready(stack: Stack, ledger: Ledger, fault: Fault) -> Fault:
    """After the last outage is healed, wait until all running components are ready.

    A component that does not become ready is noted in the ledger and is no longer the fault's concern. An outage that begins meanwhile
    stops this wait; healing that outage waits again.
    """
    if fault.verb not in OUTAGES or _outage(ledger):
        return fault
    was_started = fault.verb in ("kill", "stop", "crash")
    # The other components may need the one that has ended again, so waiting for them would be in vain.
    late = components.not_ready(stack, in_vain=lambda: _outage(ledger) or (was_started and _ended_again(stack, fault) is not None))
    facts: dict[str, object] = {}
    if not _outage(ledger):
        facts |= {"not_ready": late} if late else {}
        if was_started and (ended := _ended_again(stack, fault)) is not None:
            facts |= {"ended_again": ended[0], "port_taken": ended[1]}
    if fault.target == "mysql" and not fault.facts.get("binlog_at_start"):
        facts["binlog_at_start"] = positions.binlog_position(stack)
    return ledger.tell("note", fault, facts) if facts else fault


def _outage(ledger: Ledger) -> bool:
    """Whether a component is down, or may be soon."""
    return any(fault.verb in OUTAGES for fault in ledger.open())


def _ended_again(stack: Stack, fault: Fault) -> tuple[str, bool] | None:
    return components.ended_again(stack, fault.target, fault.healing or fault.made)


def _last_proof(stack: Stack, ledger: Ledger, fault: Fault) -> dict[str, object]:
    """Collect the proof that is visible only while the fault is present."""
    if fault.state == HEALING:
        return {}
    seen = proof(stack, fault)
    return {key: value for key, value in (("proof_service", seen.service), ("proof_outside", seen.outside)) if value is not None}


def _left(stack: Stack, ledger: Ledger, fault: Fault, kind: Primitive) -> str | None:
    deadline = time.monotonic() + PROBE_S
    while (left := kind.probe(stack, ledger, fault)) is not None and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return left


def proof(stack: Stack, fault: Fault) -> Proof:
    """Return the proof that the fault fired: what was written down when it was healed, and what is visible now."""
    known = Proof(fault.facts.get("proof_service"), fault.facts.get("proof_outside"))
    if known.service and known.outside:
        return known
    try:
        seen = primitive(fault.verb).prove(stack, Ledger(stack.directory), fault)
    except (UserError, OSError):
        seen = Proof()  # the source of the proof does not answer
    return Proof(seen.service or known.service, seen.outside or known.outside)


def left(stack: Stack, fault: Fault) -> str | None:
    """Return what is left of the fault now, or None when nothing is left."""
    return primitive(fault.verb).probe(stack, Ledger(stack.directory), fault)


def heal_all(
    stack: Stack, wanted: Callable[[Fault], bool] = lambda _: True, *, how: str = "healed", tell: Callable[[Fault], None] = lambda _: None
) -> list[Fault]:
    """Heal these faults, the latest first. A fault that is blocked by another one is retried. Raises UserError with what is left."""
    healed: list[Fault] = []
    left_over = [fault for fault in reversed(Ledger(stack.directory).open()) if wanted(fault)]
    while left_over:
        problems: list[tuple[Fault, UserError]] = []
        for fault in left_over:
            try:
                healed.append(heal(stack, fault, how=how))
                tell(healed[-1])
            except UserError as error:
                problems.append((fault, error))
        if problems and len(problems) == len(left_over):
            raise problems[0][1]
        left_over = [fault for fault, _ in problems]
    return healed


def left_behind(stack: Stack) -> list[Fault]:
    """Return the faults that should be gone: from a killed run, half done, or overdue. Changes nothing."""
    return [fault for fault in Ledger(stack.directory).open() if left_behind_one(stack, fault)]


def left_behind_one(stack: Stack, fault: Fault) -> bool:
    lost_its_holder = fault.verb == "lock" and fault.state == ACTIVE and not holder_process.running(stack.directory)
    return lost_its_holder or fault.left_behind(time.time())


def heal_left_behind(stack: Stack, tell: Callable[[Fault], None] = lambda _: None) -> list[Fault]:
    """Heal the faults that earlier commands left behind. Each command that changes something calls this first."""
    healed: list[Fault] = []
    if left_behind(stack):
        healed = heal_all(stack, lambda fault: left_behind_one(stack, fault), how="left behind by an earlier command", tell=tell)
    if any(fault.until is not None for fault in Ledger(stack.directory).open()):
        holder_process.ensure(stack)  # in case it was killed
    return healed


def forget_all(ledger: Ledger, how: str) -> None:
    """Mark all faults as healed after the stack is down, and disarm what is still armed. Nothing else of a fault outlives the stack."""
    for fault in reversed(ledger.open()):
        ledger.tell("healed", ledger.tell("healing", fault, owner=this_process("heal", how)), {"how": how})
    if control.armed_ids(ledger.directory):
        control.write_armed(ledger)


def healed_by_repair(stack: Stack) -> list[Fault]:
    """Close the outages that `up` has ended by starting what was down. Returns them."""
    ledger = Ledger(stack.directory)
    over = [f for f in ledger.open() if f.verb in ("kill", "stop", "pause", "cut") and left(stack, f) is None and f.state != HEALING]
    return [heal(stack, fault, how="repaired by labkit up") for fault in reversed(over)]
