"""labkit heal: undo faults and verify that nothing of them is left."""

from labkit.errors import ExitCode, UserError
from labkit.faults import engine, notes
from labkit.faults.ledger import Fault, Ledger
from labkit.stack import state
from labkit.terminal import say


def heal(stack_name: str, fault_id: str | None, *, everything: bool) -> ExitCode:
    """Heal one fault. With `everything`, heal all faults, the most recent first."""
    stack = state.load(stack_name)
    ledger = Ledger(stack.directory)
    if everything:
        healed = engine.heal_all(stack, tell=_tell)
        if not healed:
            say.line("No fault is set.")
        return max(map(_became, healed), default=ExitCode.OK)
    if fault_id is None:
        there = [fault for fault in ledger.open() if not fault.over]
        if len(there) > 1:
            details = [f"{fault.id}  {fault.said}" for fault in there]
            raise UserError("Which fault?", "labkit heal ID, or labkit heal --all", exit_code=ExitCode.USAGE, details=details)
        if not there:
            say.line("No fault is set.")
            return ExitCode.OK
        fault_id = there[0].id
    fault = ledger.get(fault_id)
    if fault is None:
        raise UserError(f"There is no fault {fault_id}.", "labkit fault status", exit_code=ExitCode.USAGE)
    if fault.over:
        say.line(f"Fault {fault.id} is already healed: {fault.said}.")
        return ExitCode.OK
    fault = engine.heal(stack, fault)
    _tell(fault)
    notes.heal_left_behind(stack)
    return _became(fault)


def _became(fault: Fault) -> ExitCode:
    """Return FAIL if the component ended again by itself, UNKNOWN if its port is taken or it is not ready yet, otherwise OK."""
    if fault.facts.get("ended_again"):
        return ExitCode.UNKNOWN if fault.facts.get("port_taken") else ExitCode.FAIL
    return ExitCode.UNKNOWN if fault.facts.get("not_ready") else ExitCode.OK


def _tell(fault: Fault) -> None:
    if again := fault.facts.get("ended_again"):
        say.line(f"Healed fault {fault.id}: {fault.said}. But {fault.target} is not running: {again}.")
        next_step = "labkit up, which gives it another port" if fault.facts.get("port_taken") else f"labkit logs {fault.target}"
        say.line(f"Next: {next_step}")
        return
    late = fault.facts.get("not_ready") or {}
    say.line(f"Healed fault {fault.id}: {fault.said}. {'Nothing of it is left.' if not late else 'But not ready again:'}")
    for name, why in late.items():
        say.line(f"  {name} runs, but is not ready: {why}. labkit logs {name}")
