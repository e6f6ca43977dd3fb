"""The load generator: places orders and measures the time from each POST to the order's final state. While a run judges the stack, it
steps aside.

It reads final states from the orders' own table, not with GET requests. One connection asks for all outstanding orders at once, every 1 to
4 ms. This costs the stack almost nothing, and the result is exact to the polling interval for any number of orders. An order younger than
the fastest recent one is not asked for.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from labkit.errors import UserError
from labkit.http_client import HttpClient, NoAnswer
from labkit.load.model import LoadPlan, LoadTarget, Tally
from labkit.load.turns import Turn, Turns

if TYPE_CHECKING:
    import aiomysql

LIMIT = "10000000.00"  # a customer's credit limit: enough for any run
TOO_MUCH = "10000000.01"
REJECTED_SHARE, UNKNOWN_SHARE = 0.10, 0.05
NOBODY = 9_000_000_000_000_000_000  # no customer has an id from here on
POST_TIMEOUT = 10.0  # seconds
FINISH_TIMEOUT = 10.0  # seconds from POST to final state; after that, a client continues and the order counts as not finished
MAX_OUTSTANDING = 5_000  # at a fixed rate; beyond it, the stack cannot keep up and posting waits
LOOK_AGAIN_S = 0.2  # the pause when MySQL does not answer
BATCH = 500  # ids per query


class Load:
    """One load. `stop()` ends the posting early; outstanding orders still get time to finish. `on_open` and `on_close` are called at the
    start and the end of the measured time."""

    def __init__(self, target: LoadTarget, plan: LoadPlan, turn: Turn | None = None) -> None:
        self.tally = Tally()
        self.on_open: Callable[[], None] = lambda: None
        self.on_close: Callable[[], None] = lambda: None
        self._target = target
        self._plan = plan
        self._dice = random.Random(plan.seed)
        self._stopping = asyncio.Event()
        self._posting = 0
        self._outstanding: dict[int, _Order] = {}
        self._turns = Turns(turn, lambda: bool(self._posting or self._outstanding), FINISH_TIMEOUT)
        self._news = asyncio.Event()
        self._recent: deque[float] = deque(maxlen=50)

    @property
    def is_aside(self) -> bool:
        return self._turns.are_aside

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> Tally:
        """Run the load and return the measurements. Raises UserError if the stack does not answer."""
        customers, self._orders = HttpClient(self._target.customers_url), HttpClient(self._target.orders_url)
        self._customers = await _create_customers(customers, self._plan)
        watching = asyncio.create_task(self._watch())
        turns = asyncio.create_task(self._turns.keep(self._connect_again))
        try:
            async with asyncio.TaskGroup() as group:
                posting = group.create_task(self._post_at_rate() if self._plan.rate else self._post_by_clients())
                timing = group.create_task(self._time())
                watching.add_done_callback(lambda _: (posting.cancel(), timing.cancel()))
            await self._drain(watching)
        finally:
            watching.cancel()
            turns.cancel()
            for client in (customers, self._orders):
                client.close()
        await asyncio.gather(watching, return_exceptions=True)
        if not watching.cancelled() and (error := watching.exception()):
            raise error
        return self.tally

    async def _time(self) -> None:
        """Start and end the measured time."""
        await self._sleep(self._plan.warm_up)
        await self._turns.go_on(self._stopping)
        aside_before = self._turns.seconds
        self.tally.started = time.perf_counter()
        self.on_open()
        while (left := self._plan.seconds - self.tally.seconds) > 0 and not self._stopping.is_set():
            await self._sleep(left)
            await self._turns.go_on(self._stopping)
            self.tally.aside_s, self.tally.aside_for = self._turns.seconds - aside_before, self._turns.runs
        self.stop()
        self.tally.ended = time.perf_counter()
        self.on_close()

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _connect_again(self) -> None:
        """The run may have restarted the services."""
        self._orders.close()
        self._orders = HttpClient(self._target.orders_url)

    async def _post_by_clients(self) -> None:
        async def client() -> None:
            while not self._stopping.is_set():
                if self.is_aside:
                    await self._turns.go_on(self._stopping)
                    continue
                order = await self._post(time.perf_counter())
                if order is None:
                    await self._sleep(0.1)  # posting faster does not help a stack that refuses orders
                    continue
                try:
                    async with asyncio.timeout(FINISH_TIMEOUT):
                        await order.final
                except TimeoutError:
                    continue

        await asyncio.gather(*(client() for _ in range(self._plan.clients)))

    async def _post_at_rate(self) -> None:
        """Post at the plan's rate. Latency counts from the time an order was due, so that a stalled stack cannot hide it by slowing the
        generator."""
        assert self._plan.rate is not None
        posts: set[asyncio.Task[_Order | None]] = set()
        due = time.perf_counter()
        while not self._stopping.is_set():
            if self.is_aside:
                await self._turns.go_on(self._stopping)
                due = time.perf_counter()
                continue
            while due <= time.perf_counter() and len(self._outstanding) + len(posts) < MAX_OUTSTANDING:
                post = asyncio.create_task(self._post(due))
                posts.add(post)
                post.add_done_callback(posts.discard)
                due += 1 / self._plan.rate
            await self._sleep(max(0.001, due - time.perf_counter()))
        await asyncio.gather(*posts)

    async def _post(self, since: float) -> "_Order | None":
        kind = self._dice.random()
        customer: int = self._dice.choice(self._customers)
        expected, total = "APPROVED", f"{self._dice.randint(1, 20)}.{self._dice.randint(0, 99):02d}"
        if kind < UNKNOWN_SHARE:
            expected, customer = "REJECTED", NOBODY + self._dice.randrange(1_000_000)
        elif kind < UNKNOWN_SHARE + REJECTED_SHARE:
            expected, total = "REJECTED", TOO_MUCH
        self.tally.posted += 1
        if self.tally.posted == self._plan.orders:
            self.stop()
        body = f'{{"customerId":{customer},"orderTotal":{{"amount":{total}}}}}'
        try:
            self._posting += 1
            status, answer = await self._orders.post("/orders", body, timeout=POST_TIMEOUT)
        except (NoAnswer, TimeoutError) as error:
            self.tally.failed_posts[str(error) or "no answer in time"] += 1
            return None
        finally:
            self._posting -= 1
        if status != 200:
            self.tally.failed_posts[f"{status} {_detail(answer)}"] += 1
            return None
        order_id = _id_in(answer, "orderId")
        if order_id is None:
            self.tally.failed_posts[f"200, and no orderId in {_detail(answer)}"] += 1
            return None
        order = _Order(since, expected, asyncio.get_running_loop().create_future())
        self._outstanding[order_id] = order
        self._news.set()
        return order

    async def _watch(self) -> None:
        """Poll the state of outstanding orders without end. Reconnect while MySQL does not answer."""
        import aiomysql

        at, away_since = self._target, 0.0
        login = {"user": at.mysql_user, "password": at.mysql_password}
        while True:
            database = None
            try:
                database = await aiomysql.connect(host=at.mysql_host, port=at.mysql_port, autocommit=True, connect_timeout=2, **login)
                if away_since:
                    self.tally.unseen_s += time.perf_counter() - away_since
                    away_since = 0.0
                await self._ask(database)
            except (OSError, aiomysql.MySQLError, EOFError) as error:
                self.tally.failed_looks[str(error.args[-1] if error.args else type(error).__name__)] += 1
                away_since = away_since or time.perf_counter()
            finally:
                if database is not None:
                    database.close()
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _ask(self, database: "aiomysql.Connection") -> None:
        """Poll until the database does not answer."""
        async with database.cursor() as cursor:
            while True:
                await self._news.wait()
                ids = self._old_enough()
                for start in range(0, len(ids), BATCH):
                    chosen = ",".join(map(str, ids[start : start + BATCH]))
                    await cursor.execute(f"SELECT id, state FROM {self._target.orders_table} WHERE id IN ({chosen}) AND state <> 'PENDING'")
                    now = time.perf_counter()
                    for order_id, state in await cursor.fetchall():
                        self._finish(order_id, state, now)
                self.tally.outstanding = len(self._outstanding)
                if not self._outstanding:
                    self._news.clear()
                await asyncio.sleep(0.001 if len(ids) <= 4 else 0.004)

    def _old_enough(self) -> list[int]:
        """Return the outstanding orders that may have ended. The factor 0.7 lets the generator notice a stack that becomes faster."""
        born_before = time.perf_counter() - 0.7 * min(self._recent, default=0.0)
        return [order_id for order_id, order in self._outstanding.items() if order.since <= born_before]

    def _finish(self, order_id: int, state: str, now: float) -> None:
        order = self._outstanding.pop(order_id)
        self._recent.append(now - order.since)
        if not order.final.done():
            order.final.set_result(state)
        self.tally.states[state] += 1
        if state != order.expected:
            self.tally.wrong.append(f"order {order_id} is {state}, should be {order.expected}")
        if self.tally.started and not self.tally.ended:
            self.tally.finished += 1
            self.tally.latencies.append(now - order.since)

    async def _drain(self, watching: "asyncio.Task[None]") -> None:
        """Give outstanding orders time to finish, and record those that do not."""
        deadline = self.tally.ended + FINISH_TIMEOUT
        while self._outstanding and time.perf_counter() < deadline and not watching.done():
            await asyncio.wait([watching], timeout=0.01)
        self.tally.unfinished = sorted(self._outstanding)


@dataclass(frozen=True, slots=True)
class _Order:
    since: float
    expected: str
    final: "asyncio.Future[str]"


async def _create_customers(client: HttpClient, plan: LoadPlan) -> list[int]:
    ids = []
    for number in range(plan.customers):
        body = f'{{"name":"Load {plan.seed}.{number}","creditLimit":{{"amount":{LIMIT}}}}}'
        try:
            status, answer = await client.post("/customers", body, timeout=POST_TIMEOUT)
        except (NoAnswer, TimeoutError) as error:
            raise UserError(f"No customer could be created: {error or 'no answer in time'}.", "labkit status") from error
        if status != 200:
            raise UserError(f"No customer could be created: {status} {_detail(answer)}.", "labkit status")
        customer_id = _id_in(answer, "customerId")
        if customer_id is None:
            raise UserError(f"No customer could be created: the answer has no customerId: {_detail(answer)}.", "labkit lab 1 check")
        ids.append(customer_id)
    return ids


def _id_in(answer: bytes, field: str) -> int | None:
    try:
        return int(msgspec.json.decode(answer)[field])
    except (ValueError, KeyError, TypeError, RecursionError):  # any such error means that the answer breaks the contract
        return None


def _detail(answer: bytes) -> str:
    try:
        return str(msgspec.json.decode(answer)["detail"])
    except (ValueError, KeyError, TypeError, RecursionError):  # not JSON, or not a problem document
        return answer[:200].decode(errors="replace")


def run(target: LoadTarget, plan: LoadPlan, *, turn: Turn | None = None, watch: Callable[[Load], object] | None = None) -> Tally:
    """Run a load to its end. Without a `turn`, it never steps aside. `watch` receives the Load as soon as it exists, inside its event loop,
    for live figures and for stop()."""
    import uvloop

    async def main() -> Tally:
        load = Load(target, plan, turn)
        watching = watch(load) if watch else None
        try:
            return await load.run()
        finally:
            if isinstance(watching, asyncio.Task):
                watching.cancel()

    return uvloop.run(main())
