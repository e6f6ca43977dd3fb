"""Clean runs end with pass, never with fail or unknown: mixed orders, while relay and services are killed and messages redelivered."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.shop import new_customer, request
from tests.running import ROOT, RunningStack
from tests.verdict.test_planted import by_id, verified

CLIENTS = 3
APPLICABLE = {f"I{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13)}


class MixedOrders:
    """Orders within the limit, above it and from unknown customers; some are cancelled. Any answer is accepted."""

    def __init__(self, stack: RunningStack, count: int, seed: int) -> None:
        self._stack, self._count = stack, count
        self._dice = [random.Random(seed * CLIENTS + client) for client in range(CLIENTS)]
        self.customers = [new_customer(stack.url("gateway"), "150.00") for _ in range(8)]
        self.placed = 0

    def client(self, dice: random.Random) -> None:
        gateway = self._stack.url("gateway")
        mine: list[int] = []
        for _ in range(self._count // CLIENTS + 1):
            customer = 10**15 + dice.randrange(1000) if dice.random() < 0.05 else dice.choice(self.customers)
            total = f"{dice.randint(1, 60)}.{dice.randint(0, 99):02}"
            try:
                status, answer = request(
                    "POST", f"{gateway}/orders", raw=f'{{"customerId":{customer},"orderTotal":{{"amount":{total}}}}}'.encode()
                )
                if status == 200:
                    mine.append(json.loads(answer)["orderId"])
                if mine and dice.random() < 0.3:
                    order = mine.pop(dice.randrange(len(mine)))
                    status, answer = request("GET", f"{gateway}/orders/{order}")
                    if status == 200 and json.loads(answer)["orderState"] == "APPROVED":
                        request("POST", f"{gateway}/orders/{order}/cancel")
            except OSError:
                continue  # a component is down at the moment
            self.placed += 1

    @contextmanager
    def in_background(self) -> Iterator[list[threading.Thread]]:
        threads = [threading.Thread(target=self.client, args=[dice], daemon=True) for dice in self._dice]
        for thread in threads:
            thread.start()
        try:
            yield threads
        finally:
            for thread in threads:
                thread.join()


def disturb(stack: RunningStack, dice: random.Random) -> None:
    """Kill one component, or ask it to restart. A killed consumer receives unacknowledged records again."""
    victim = dice.choice(["relay", "relay", "customers", "orders", "order-history"])
    if dice.random() < 0.3:
        stack.restart(victim)
        return
    stack.kill(victim)
    stack.labkit("up")


def passes(stack: RunningStack, count: int, seed: int, disturbances: int) -> None:
    stack.labkit("up", "--services", str(ROOT))
    stack.labkit("reset", "--yes")
    stack = RunningStack(stack.labkit)
    orders, dice = MixedOrders(stack, count, seed), random.Random(seed)
    with orders.in_background() as threads:
        for _ in range(disturbances):
            threads[0].join(dice.random())  # the moment comes from the seed
            disturb(stack, dice)
    code, judged = verified(stack)
    assert (code, judged["verdict"], judged["findings"]) == (0, "pass", []), judged
    assert {i for i, found in by_id(judged).items() if found["outcome"] == "pass" and found["judged"]} == APPLICABLE
    assert orders.placed > count / 3


def test_mixed_orders_with_crashes_and_restarts_end_pass(stack: RunningStack) -> None:
    passes(stack, count=150, seed=1, disturbances=2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_a_thousand_mixed_orders_end_pass(stack: RunningStack, seed: int) -> None:
    passes(stack, count=1000, seed=seed, disturbances=6)
