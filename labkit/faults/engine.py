"""Applying faults and healing them, with the ledger written before each act."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from labkit.errors import ExitCode, UserError
from labkit.faults import components, control, holder_process, kill_points, positions
from labkit.faults.ledger import ACTIVE, BY_HAND, HEALING, Fault, Ledger, Owner, this_process
from labkit.faults.primitive import Primitive, Proof
from labkit.stack.model import Stack

PROBE_S = 10.0  # how long a heal may take to show
LOOK_S = 0.02
OUTAGES = ("kill", "stop", "pause", "cut", "crash")


@dataclass(frozen=True)
class FaultSpec:
    """What a fault is to be: see Fault for the fields."""

    verb: str
    target: str
    said: str
    settings: dict[str, object]


Wanted = Callable[[Stack], FaultSpec]
"""What a fault is to be, on whichever stack it is brought about."""


def primitive(verb: str) -> Primitive:
    from labkit.faults.registry import PRIMITIVES

    return PRIMITIVES[verb]


def apply(stack: Stack, spec: FaultSpec, owner: Owner | None = None, *, seconds: float | None = None) -> Fault:
    """Bring it about. When it cannot be, what was done of it is undone and the error raised. `seconds`: heals by itself then."""
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
        return heal(stack, fault, how="healed while it was brought about")
    if kind.one_shot and facts.get("over", True):
        return heal(stack, fault, how="it leaves nothing behind")
    return fault


def _take_back(stack: Stack, fault: Fault) -> None:
    try:
        heal(stack, fault, how="it could not be applied")
    except UserError:
        return  # it stays in the ledger, and the next command tries again; what went wrong first is what the user is to see


def heal(stack: Stack, fault: Fault, *, how: str = "healed") -> Fault:
    """Undo it and see that nothing of it is left. Healing what is healed changes nothing. Raises UserError when something is left."""
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
    """When the last outage is healed, wait until all that runs is ready; what does not get ready is told, and no fault's any more. An
    outage that begins meanwhile is waited for when that one is healed."""
    if fault.verb not in OUTAGES or _outage(ledger):
        return fault
    was_started = fault.verb in ("kill", "stop", "crash")
    # the others may need the one that has ended again: they would be awaited in vain
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
    """Is a component away, or may it be soon?"""
    return any(fault.verb in OUTAGES for fault in ledger.open())


def _ended_again(stack: Stack, fault: Fault) -> tuple[str, bool] | None:
    return components.ended_again(stack, fault.target, fault.healing or fault.made)


def _last_proof(stack: Stack, ledger: Ledger, fault: Fault) -> dict[str, object]:
    """What shows only while a fault is there is written down before it goes."""
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
    """That it fired, as was written down when it was healed, or as far as it shows now."""
    known = Proof(fault.facts.get("proof_service"), fault.facts.get("proof_outside"))
    if known.service and known.outside:
        return known
    try:
        seen = primitive(fault.verb).prove(stack, Ledger(stack.directory), fault)
    except (UserError, OSError):
        seen = Proof()  # who would tell does not answer
    return Proof(seen.service or known.service, seen.outside or known.outside)


def left(stack: Stack, fault: Fault) -> str | None:
    """What there is of it now; None when nothing is."""
    return primitive(fault.verb).probe(stack, Ledger(stack.directory), fault)


def heal_all(
    stack: Stack, wanted: Callable[[Fault], bool] = lambda _: True, *, how: str = "healed", tell: Callable[[Fault], None] = lambda _: None
) -> list[Fault]:
    """Heal these, the last one first; one that another one keeps from healing once that is gone. Raises UserError with what is left."""
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
    """Faults that should be gone: of a run that was killed, half done, or overdue. Only looks."""
    return [fault for fault in Ledger(stack.directory).open() if left_behind_one(stack, fault)]


def left_behind_one(stack: Stack, fault: Fault) -> bool:
    lost_its_holder = fault.verb == "lock" and fault.state == ACTIVE and not holder_process.running(stack.directory)
    return lost_its_holder or fault.left_behind(time.time())


def heal_left_behind(stack: Stack, tell: Callable[[Fault], None] = lambda _: None) -> list[Fault]:
    """What a command does first that changes something."""
    healed: list[Fault] = []
    if left_behind(stack):
        healed = heal_all(stack, lambda fault: left_behind_one(stack, fault), how="left behind by an earlier command", tell=tell)
    if any(fault.until is not None for fault in Ledger(stack.directory).open()):
        holder_process.ensure(stack)  # in case it was killed
    return healed


def forget_all(ledger: Ledger, how: str) -> None:
    """The stack is down: nothing that a fault did is left but what is armed, and that is taken back."""
    for fault in reversed(ledger.open()):
        ledger.tell("healed", ledger.tell("healing", fault, owner=this_process("heal", how)), {"how": how})
    if control.armed_ids(ledger.directory):
        control.write_armed(ledger)


def healed_by_repair(stack: Stack) -> list[Fault]:
    """After `up`: outages of which nothing is left, because it has started what was down, are over."""
    ledger = Ledger(stack.directory)
    over = [f for f in ledger.open() if f.verb in ("kill", "stop", "pause", "cut") and left(stack, f) is None and f.state != HEALING]
    return [heal(stack, fault, how="repaired by labkit up") for fault in reversed(over)]
