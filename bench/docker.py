"""The Docker part of `make bench`: the same figures for the stack in containers, with each database whose image is present."""

import statistics
import time

from bench.rows import Row, at_least, at_most, say
from bench.stack import Labkit, Status, own_labkit
from labkit import docker_engine
from labkit.load.generator import run
from labkit.load.model import LoadPlan

SETTLE = 3.0  # seconds
CLIENTS = 64
# database: its image, the memory goal in MB, and the throughput goal as a share of native throughput
DATABASES = {"MariaDB": ("labkit/mariadb:local", 600, 0.8), "MySQL": ("labkit/mysql:local", 800, 0.6)}


def usable() -> docker_engine.Engine | None:
    try:
        return docker_engine.find()
    except docker_engine.NoEngine:
        return None


def rows(found: docker_engine.Engine, native_rate: float) -> list[Row]:
    """The rows of each database whose image is present. `native_rate` (sagas/s) is this run's native rate with 64 clients."""
    here = {tag for image in docker_engine.get(found.host, "/images/json", timeout=10) for tag in image["RepoTags"] or []}
    return [row for database in DATABASES if DATABASES[database][0] in here for row in _rows(database, native_rate)]


def _rows(database: str, native_rate: float) -> list[Row]:
    image, memory_goal, share_goal = DATABASES[database]
    say(f"Docker with {database}")
    with own_labkit(LABKIT_RUNTIME="docker", LABKIT_MYSQL_IMAGE=image) as labkit:
        cold = labkit.timed("up")
        status, warm = labkit.status(), []
        for _ in range(3):
            labkit("down")
            warm.append(_to_first_saga(labkit, status, "up"))
        resets = [_to_first_saga(labkit, status, "reset", "--yes") for _ in range(3)]
        restarts = [labkit.timed("restart", "orders") for _ in range(3)]
        time.sleep(SETTLE)
        memory = labkit.status().memory_mb
        run(status.target(direct=False), LoadPlan(seconds=8, clients=CLIENTS, customers=100))
        tally = run(status.target(direct=False), LoadPlan(seconds=5, clients=CLIENTS, customers=200, warm_up=1))
    p50 = tally.percentile(0.5) or 0.0
    return [
        at_most(f"Docker, {database}: up cold (no data)", cold, "s", digits=2),
        at_most("  up warm to the first saga", statistics.median(warm), "s", 10, 2),
        at_most("  reset to the first saga", statistics.median(resets), "s", 2.5, 2),
        at_most("  restart orders", statistics.median(restarts), "s", 1.5, 2),
        at_most(f"  memory of all {len(memory)} containers, idle", sum(memory.values()), "MB", memory_goal, 0),
        Row("", ", ".join(f"{name} {size:.0f}" for name, size in memory.items())),
        at_least(f"  sustained, {CLIENTS} clients (p50 {p50:.0f} ms)", tally.rate, "sagas/s"),
        at_least("  that is of the native stack in this run", 100 * tally.rate / native_rate, "%", 100 * share_goal),
    ]


def _to_first_saga(labkit: Labkit, status: Status, *command: str) -> float:
    """Seconds from the command to the end of the first saga. `status` is the earlier one: asking for it takes as long as a saga."""
    start = time.perf_counter()
    labkit(*command)
    one_saga(status)
    return time.perf_counter() - start


def one_saga(status: Status) -> None:
    run(status.target(direct=False), LoadPlan(seconds=10, clients=1, customers=1, orders=1))
