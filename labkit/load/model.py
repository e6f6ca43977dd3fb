"""The data of a load: where it posts, what it is to do, and what it measured."""

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LoadTarget:
    """Where to post, and the database to read final states from."""

    customers_url: str
    orders_url: str
    mysql_host: str
    mysql_port: int
    mysql_user: str
    mysql_password: str
    orders_table: str  # with its schema


@dataclass(frozen=True)
class LoadPlan:
    """Either `rate`, in orders per second, or `clients`, each of which waits for its order to end before it posts the next. Results
    exclude orders that end in the first `warm_up` seconds. `orders` ends the run after that many orders."""

    seconds: float
    clients: int = 16
    rate: float | None = None
    customers: int = 100
    seed: int = 0
    warm_up: float = 0.0
    orders: int | None = None


@dataclass
class Tally:
    """The measurements so far. Latencies are in seconds."""

    started: float = 0.0
    ended: float = 0.0
    posted: int = 0
    finished: int = 0
    latencies: list[float] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    failed_posts: Counter[str] = field(default_factory=Counter)
    unfinished: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    outstanding: int = 0
    failed_looks: Counter[str] = field(default_factory=Counter)
    unseen_s: float = 0.0
    """Seconds in which MySQL could not report which orders had ended."""
    aside_s: float = 0.0
    aside_for: list[str] = field(default_factory=list)
    """Seconds in which no orders were placed because runs judged the stack, and these runs."""

    @property
    def seconds(self) -> float:
        """The measured time so far, without the time aside."""
        return (self.ended or time.perf_counter()) - self.started - self.aside_s

    @property
    def rate(self) -> float:
        """Sagas per second."""
        seconds = self.seconds
        return self.finished / seconds if self.started and seconds > 0 else 0.0

    def percentile(self, share: float) -> float | None:
        """Return the latency in milliseconds that a `share` (0 to 1) of all sagas did not exceed, or None if no saga finished."""
        if not self.latencies:
            return None
        return sorted(self.latencies)[min(len(self.latencies) - 1, int(share * len(self.latencies)))] * 1000
