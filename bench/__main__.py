"""`make bench`: start-up, memory, latency, throughput and processor time of the whole stack in one table, with the goals."""

import statistics
import sys
import time

from bench import docker, durability, labs, machine
from bench.docker import one_saga
from bench.rows import Row, at_least, at_most, say, table
from bench.stack import Labkit, Status, own_labkit
from labkit.load.generator import Load, run
from labkit.load.model import LoadPlan, Tally

SETTLE = 3.0  # seconds; memory directly after the start still includes what starting used
CLIENTS = (1, 4, 16, 64)


def starting(labkit: Labkit) -> list[Row]:
    """Measures the start. Leaves the stack running and without data."""
    say("labkit --help, labs, Tab, up cold, up warm")
    helping = statistics.median(labkit.timed("--help") for _ in range(9)) * 1000
    listing = statistics.median(labkit.timed("labs") for _ in range(9)) * 1000
    tab = statistics.median(labkit.timed("completion", "bash", "--", "lab", "2", "check", "") for _ in range(9)) * 1000
    cold, warm = [], []
    for _ in range(3):
        cold.append(labkit.timed("up"))
        labkit("down", "--data")
    labkit("up")
    for _ in range(3):
        labkit("down")
        warm.append(labkit.timed("up"))
    return [
        at_most("labkit --help", helping, "ms", 80, 0),
        at_most("labkit labs", listing, "ms", 120, 0),
        at_most("Tab after labkit lab 2 check", tab, "ms", 100, 0),
        at_most("labkit up, the very first in this home", cold[0], "s", digits=2),
        at_most("labkit up cold (no data)", statistics.median(cold[1:]), "s", 6, 2),
        at_most("labkit up warm", statistics.median(warm), "s", 2.5, 2),
    ]


def resetting(labkit: Labkit) -> list[Row]:
    say("labkit reset")
    resets, first = [], []
    for attempt in range(3):
        load(labkit.status(), LoadPlan(seconds=0.3, clients=4, customers=4, seed=attempt))
        status = labkit.status()
        start = time.perf_counter()
        labkit("reset", "--yes")
        resets.append(time.perf_counter() - start)
        one_saga(status)
        first.append(time.perf_counter() - start)
    return [
        at_most("labkit reset", statistics.median(resets), "s", 2, 2),
        at_most("labkit reset to the first saga after it", statistics.median(first), "s", 1.5, 2),
    ]


def memory(status: Status, when: str, goal: float | None) -> list[Row]:
    figures = {name: machine.pss_mb(pid) for name, pid in status.pids.items()}
    each = ", ".join(f"{name} {figure:.0f}" for name, figure in figures.items())
    return [at_most(f"PSS of all {len(figures)} processes, {when}", sum(figures.values()), "MB", goal, 0), Row("", each)]


def load(status: Status, plan: LoadPlan, *, direct: bool = False) -> tuple[Tally, dict[str, float]]:
    """Returns the tally, and each process's processor time per saga in milliseconds."""
    spent = dict.fromkeys(status.pids, 0.0)

    def count(sign: int) -> None:
        for name, pid in status.pids.items():
            spent[name] += sign * machine.cpu_seconds(pid)

    def watch(load: Load) -> None:
        load.on_open, load.on_close = lambda: count(-1), lambda: count(+1)

    tally = run(status.target(direct=direct), plan, watch=watch)
    if tally.unfinished or tally.wrong or tally.failed_posts:
        sys.exit(f"the load did not go well: {len(tally.unfinished)} unfinished, wrong {tally.wrong[:3]}, refused {tally.failed_posts}")
    return tally, {name: seconds / max(1, tally.finished) * 1000 for name, seconds in spent.items()}


def latency(status: Status) -> list[Row]:
    """Latency with one order at a time. The runs alternate, so that a busy moment of the machine affects both."""
    say("one order at a time")
    found: dict[bool, list[Tally]] = {True: [], False: []}
    for attempt in range(3):
        for direct in (True, False):
            plan = LoadPlan(seconds=2, clients=1, customers=10, seed=attempt, warm_up=0.3)
            found[direct].append(load(status, plan, direct=direct)[0])
    rows = []
    for direct, p50_goal in ((True, 7.0), (False, 8.0)):
        p50, p95 = (statistics.median(tally.percentile(share) or 0.0 for tally in found[direct]) for share in (0.5, 0.95))
        how = "direct" if direct else "through the gateway"
        rows += [at_most(f"one saga, {how}, p50", p50, "ms", p50_goal), at_most(f"one saga, {how}, p95", p95, "ms", 14)]
    return rows


def throughput(status: Status) -> tuple[list[Row], float]:
    """Returns the rows, and the rate with the most clients."""
    rows = []
    for clients in CLIENTS:
        say(f"{clients} clients")
        tally, cpu = load(status, LoadPlan(seconds=5, clients=clients, customers=200, seed=clients, warm_up=1))
        last = clients == CLIENTS[-1]
        p50, p95 = tally.percentile(0.5) or 0.0, tally.percentile(0.95) or 0.0
        rows += [
            at_least(f"sustained, {clients} clients (p50 {p50:.0f} ms, p95 {p95:.0f} ms)", tally.rate, "sagas/s", 1500 if last else None),
            at_most("  processor time of the stack", sum(cpu.values()), "ms/saga", 1.2 if last else None, 2),
        ]
    each = ", ".join(f"{name} {figure:.2f}" for name, figure in sorted(cpu.items(), key=lambda item: -item[1]))
    return [*rows, Row("", each)], tally.rate


def main() -> None:
    began, busy = time.perf_counter(), machine.busy()
    with own_labkit(LABKIT_RUNTIME="native") as labkit:
        rows = starting(labkit)
        rows += resetting(labkit)
        time.sleep(SETTLE)
        status = labkit.status()
        rows += memory(status, "idle", 420)
        say("warming up")
        load(status, LoadPlan(seconds=10, clients=CLIENTS[-1], customers=100))
        rows += latency(status)
        measured, rate = throughput(status)
        rows += measured
        time.sleep(SETTLE)
        rows += memory(status, "after load", None)
        durable = durability.settings(status.connections)
        commits = durability.commits_per_second(status.connections["mysql"])
    rows += labs.rows()
    if engine := docker.usable():
        rows += docker.rows(engine, rate)
    print(f"{machine.describe()}; load average before: {busy:.1f}\n\n{table(rows)}\n\nDurability: {durable}")
    print(f"Yardstick: {commits:.0f} durable one-row commits/s over one connection; the goals were set on a machine with 2,300 to 2,500.")
    print(f"Took {time.perf_counter() - began:.0f} s. Latency runs from POST to final state, read every 1 to 4 ms.")


if __name__ == "__main__":
    main()
