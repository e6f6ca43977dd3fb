"""`python -m bench.faults`: the cost of passing a failpoint, unarmed and armed for something else."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import machine
from services.workshop import gate
from services.workshop.armed import armed
from services.workshop.failpoint import failpoint
from services.workshop.fault import About, Fault

TIMES = 200_000
ABOUT = About("0000019d47ef7a50-0242ac1200050000", "io.example.OrderCreatedEvent", "17", "OrderEventConsumer", "Order", 1, "31")
OTHER = Fault(id="1", kind="crash", target="customers", point="a.point", message_id="another")
ELSEWHERE = Fault(id="2", kind="crash", target="customers", point="another.point")
GATE = Fault(id="3", kind="gate", target="customers", subscriber="OrderEventConsumer", event_type="OrderCancelled", partition=1)


async def cost(call: Callable[[], Awaitable[object]], rounds: int = 5) -> float:
    """Microseconds per call, the minimum of several rounds: slower rounds were disturbed by other processes."""
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(TIMES // rounds):
            await call()
        best = min(best, (time.perf_counter() - started) / (TIMES // rounds))
    return best * 1e6


async def measure() -> list[tuple[str, float, float]]:
    """Returns (what, microseconds, goal) for each case."""
    armed.hits.open(Path(tempfile.mkdtemp()) / "hits.jsonl")
    rows = []
    armed.take([])
    rows.append(("failpoint, nothing armed", await cost(lambda: failpoint("a.point", ABOUT)), 1.0))
    armed.take([ELSEWHERE])
    rows.append(("failpoint, another one armed", await cost(lambda: failpoint("a.point", ABOUT)), 1.0))
    armed.take([OTHER])
    rows.append(("failpoint, armed for another message", await cost(lambda: failpoint("a.point", ABOUT)), 10.0))
    armed.take([GATE])
    rows.append(("gate, armed for another event", await cost(lambda: gate.before(ABOUT, lambda: False)), 10.0))
    armed.take([])
    return rows


def main() -> None:
    rows = asyncio.run(measure())
    print(f"{machine.describe()}; load average before: {machine.busy():.1f}\n")
    for what, found, goal in rows:
        print(f"{'✓' if found < goal else '✗'} {what:38}  {found:6.2f} µs  < {goal:g} µs")


if __name__ == "__main__":
    main()
