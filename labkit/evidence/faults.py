"""The faults of a run, from the ledger `faults.jsonl` in the stack's directory: one event a line, see labkit/faults/ledger.py."""

import json
from pathlib import Path
from typing import Any

from labkit import brokers
from labkit.evidence.environment import utc
from labkit.stack.model import Stack

OVER = "healed"


def ledger(directory: Path) -> list[dict[str, Any]]:
    """Every fault with `state`, `applied`, `healed`, all its facts, and `told`: where in the ledger its last event ends; oldest first."""
    faults: dict[str, dict[str, Any]] = {}
    try:
        data = (directory / "faults.jsonl").read_bytes()
    except FileNotFoundError:
        return []
    end = 0
    for line in data.splitlines(keepends=True):
        end += len(line)
        try:
            event = json.loads(line)
            if event["event"] == "intent":
                faults[event["id"]] = {"facts": {}, **event["fault"], "state": "intended", "told": end}
                continue
            fault = faults[event["id"]]
            fault["told"] = end
            fault["facts"] = {**fault["facts"], **event.get("facts", {})}
            if event["event"] in ("applied", "healing", "healed"):
                fault["state"] = event["event"]
                fault[event["event"]] = event["time"]
        except (ValueError, KeyError, TypeError):
            continue  # a line that a crash cut off
    return list(faults.values())


def closed_gates(stack: Stack) -> list[str]:
    """What each gate that is closed now holds."""
    return [
        f"{fault['said']}" for fault in ledger(stack.directory) if fault.get("verb") == "gate" and fault["state"] in ("applied", "healing")
    ]


def rows(stack: Stack, after: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(faults, planted records) that were there at any time since the mark, as the evidence has them. `after` is where the ledger ended at
    the mark: what was over by then is told before it, whatever the clock said."""
    faults, planted = [], []
    read_position = brokers.positions(stack.profile).read
    for fault in ledger(stack.directory):
        if fault["state"] == OVER and fault["told"] <= after:
            continue
        owner = fault.get("owner") or {}
        faults.append(
            {
                "id": int(fault["id"]),
                "primitive": fault.get("verb"),
                "target": fault.get("target"),
                "arguments": json.dumps(fault.get("settings")),
                "owner": "hand" if owner.get("kind") == "by hand" else owner.get("kind"),
                "armed": utc(float(fault.get("applied") or fault["made"])),
                "healed": utc(float(fault["healed"])) if fault.get("healed") else None,
                "proof": fault["facts"].get("proof_outside"),
            }
        )
        for record in fault["facts"].get("planted") or []:
            position = read_position(record["offset"])
            place = {"topic": record["topic"], "partition_no": record["partition"], "offset_no": position}
            planted.append({"fault_id": int(fault["id"]), **place, "message_id": record.get("message_id")})
    return faults, planted


def unanswered(stack: Stack) -> list[str]:
    """The faults that planted a record, or meant to, of which nobody knows whether it is there: see labkit/faults/records.py."""
    return [fault["id"] for fault in ledger(stack.directory) if fault["facts"].get("attempts", 0) > len(fault["facts"].get("planted", []))]
