"""Row lock: a transaction of labkit's holds the lock of one row. F6. The transaction lives in the holder process."""

import time
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.errors import Damaged, UserError
from labkit.faults import holder_process
from labkit.faults.ledger import Fault, Ledger
from labkit.faults.primitive import Facts, Primitive, Proof
from labkit.stack import sql
from labkit.stack.model import Stack
from labkit.stack.transactions import open_transactions

HELD_S, RELEASED_S = 30.0, 5.0  # the holder may be busy starting a component
LOOK_S = 0.02


def reported_by_holder(directory: Path, fault_id: str) -> dict[str, Any]:
    """Return `connection` (MySQL's connection id) and `trx_since`, or `error`. Empty while the holder is still at work."""
    try:
        return paths.read_json(directory / "holder" / f"{fault_id}.json", dict, "labkit heal")
    except (OSError, Damaged):
        return {}


def _lock(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    holder_process.ensure(stack)
    deadline = time.monotonic() + HELD_S
    while time.monotonic() < deadline:
        told = reported_by_holder(stack.directory, fault.id)
        if "error" in told:
            raise UserError(f"The row could not be locked: {told['error']}.", "labkit fault status")
        if told:
            return {"connection": told["connection"]}
        holder_process.ensure(stack)
        time.sleep(LOOK_S)
    raise UserError(f"The row was not locked within {HELD_S:.0f} s: another transaction holds it.", "labkit fault status")


def _release(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    """Wait until the holder reads the ledger and releases the lock. If it does not, close its MySQL connection."""
    deadline = time.monotonic() + RELEASED_S
    while _probe(stack, ledger, fault) is not None and holder_process.running(stack.directory) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    if _probe(stack, ledger, fault) is not None:
        try:
            with sql.connected(stack.mysql) as cursor:
                cursor.execute("KILL %s", [_connection(stack, fault)])
        except OSError:
            pass  # the connection or MySQL has ended, and its locks with it
    return {}


def _connection(stack: Stack, fault: Fault) -> int | None:
    connection = fault.facts.get("connection") or reported_by_holder(stack.directory, fault.id).get("connection")
    return int(connection) if connection else None


def _probe(stack: Stack, ledger: Ledger, fault: Fault) -> str | None:
    """Whether our connection with this id, and so its transaction, still exists."""
    connection = _connection(stack, fault)
    if connection is None:
        return None
    return f"connection {connection} still holds the row" if _is_open(stack, connection) else None


def _is_open(stack: Stack, connection: int) -> bool:
    try:
        with sql.connected(stack.mysql, 2.0) as cursor:
            return any(transaction.connection == connection for transaction in open_transactions(cursor))
    except OSError:
        return False  # a stopped server holds no locks


def _prove(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    """The holder reports the lock. MySQL shows the holder's transaction with one locked row, and the transactions that wait for it."""
    connection = _connection(stack, fault)
    if connection is None or fault.over:
        return Proof()
    try:
        with sql.connected(stack.mysql, 2.0) as cursor:
            seen = open_transactions(cursor)
    except OSError:
        return Proof(f"connection {connection} has the row")
    own = next((transaction for transaction in seen if transaction.connection == connection), None)
    if own is None:
        return Proof(f"connection {connection} has the row")
    rows = f"{own.locked_rows} locked {'row' if own.locked_rows == 1 else 'rows'}"
    shown = f"MySQL shows its transaction with {rows}; {sum(transaction.waits for transaction in seen)} wait"
    return Proof(f"connection {connection} has the row", shown)


LOCK = Primitive("lock", "keep one row locked", _lock, _release, _probe, _prove)
