"""The faults of a run, read from the ledger, as rows of the evidence."""

import json
from typing import Any

from labkit import brokers
from labkit.evidence.environment import utc
from labkit.faults.ledger import ACTIVE, HEALING, Ledger
from labkit.stack.model import Stack


def closed_gates(stack: Stack) -> list[str]:
    """Return what each currently closed gate is holding back."""
    return [fault.said for fault in Ledger(stack.directory).all() if fault.verb == "gate" and fault.state in (ACTIVE, HEALING)]


def rows(stack: Stack, after: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return (faults, planted records) that existed at any time since the mark.

    `after` is the length of the ledger at the mark. Faults that ended before the mark are found by their place in the ledger, because the
    clock may have changed.
    """
    faults, planted = [], []
    read_position = brokers.positions(stack.profile).read
    for fault in Ledger(stack.directory).since(after):
        faults.append(
            {
                "id": int(fault.id),
                "primitive": fault.verb,
                "target": fault.target,
                "arguments": json.dumps(fault.settings),
                "owner": "hand" if fault.by_hand else fault.owner.kind,
                "armed": utc(fault.applied or fault.made),
                "healed": utc(fault.healed) if fault.healed else None,
                "proof": fault.facts.get("proof_outside"),
            }
        )
        for record in fault.facts.get("planted") or []:
            place = {"topic": record["topic"], "partition_no": record["partition"], "offset_no": read_position(record["offset"])}
            planted.append({"fault_id": int(fault.id), **place, "message_id": record.get("message_id")})
    return faults, planted


def unanswered(stack: Stack) -> list[str]:
    """Return the faults that planted a record, or tried to, without a known outcome. See labkit/faults/record_faults.py."""
    faults = Ledger(stack.directory).all()
    return [fault.id for fault in faults if fault.facts.get("attempts", 0) > len(fault.facts.get("planted", []))]
