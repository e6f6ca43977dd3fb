"""Where a run's evidence begins: `mark.json` in the stack's directory, written when all stores are empty."""

from dataclasses import dataclass, field
from pathlib import Path

from labkit import handed_in
from labkit.evidence.replication import Position
from labkit.stack.kafka_wire import Place


@dataclass(frozen=True)
class Mark:
    """`time` in epoch seconds, for people. `ledger`: bytes of the faults' ledger then.

    A topic that had no record then is not in `offsets`: it begins at 0."""

    time: float
    binlog: Position
    offsets: dict[Place, int] = field(default_factory=dict)
    ledger: int = 0


def read(directory: Path) -> Mark | None:
    """None when there is none, or it cannot be read."""
    try:
        data = handed_in.json_of(directory / "mark.json")
        offsets = {(topic, partition): int(offset) for topic, ends in data["kafka"].items() for partition, offset in enumerate(ends)}
        return Mark(
            float(data["time"]), Position(data["binlog"]["file"], int(data["binlog"]["position"])), offsets, int(data.get("ledger", 0))
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
