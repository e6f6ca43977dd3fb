"""The samples as rows of the evidence."""

from collections.abc import Iterator
from typing import Any

from labkit.evidence.environment import utc
from labkit.evidence.quiescence.watcher import Watcher


def rows(watcher: Watcher) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (table, row) for the stored samples, and for the outstanding work in each."""
    for number, (sample, moved) in enumerate(zip(watcher.samples, watcher.moved, strict=True), 1):
        yield (
            "samples",
            {
                "sample": number,
                "started": utc(sample.started),
                "ended": utc(sample.ended),
                "binlog_file": sample.binlog.file if sample.binlog else None,
                "binlog_position": sample.binlog.offset if sample.binlog else None,
                "redis_writes": sample.redis[1] if sample.redis else None,
                "records_added": sample.added,
                "moved": moved,
            },
        )
        for o in sample.outstanding:
            row = {"sample": number, "condition": o.condition, "subject": o.subject, "detail": o.detail, "since": utc(o.since)}
            yield "outstanding", row
