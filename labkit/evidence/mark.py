"""The start of a run's evidence: `mark.json` in the stack's directory, written when all stores are empty."""

from dataclasses import dataclass, field
from pathlib import Path

from labkit import brokers, user_files
from labkit.brokers.model import Place, Position
from labkit.evidence.binlog import replication
from labkit.system.model import Profile


@dataclass(frozen=True)
class Mark:
    """Where each store stood at the start of the run.

    `time` is in epoch seconds, for people. `ledger` is the length of the fault ledger in bytes. `positions` leaves out channels that had no
    record then: their evidence starts at 0, the lowest position.
    """

    time: float
    binlog: replication.Position
    positions: dict[Place, Position] = field(default_factory=dict)
    ledger: int = 0


def read(directory: Path, profile: Profile) -> Mark | None:
    """Return the mark, or None if it is missing or unreadable."""
    read_position = brokers.positions(profile).read
    try:
        data = user_files.json_of(directory / "mark.json")
        positions: dict[Place, Position] = {}
        for channel, starts in data[profile.broker].items():
            for partition, written in enumerate(starts):
                if (position := read_position(written)) is None:
                    return None
                positions[channel, partition] = position
        binlog = replication.Position(data["binlog"]["file"], int(data["binlog"]["position"]))
        return Mark(float(data["time"]), binlog, positions, int(data.get("ledger", 0)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
