"""`labkit load` on the running stack: its report matches what happened."""

import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from labkit.stack import run_lock
from tests.running import RunningStack, wait_until

NEWEST = "select max(id) as id from order_db.orders"


def figures(stack: RunningStack, *options: str, ok: bool = True) -> Any:
    return json.loads(stack.labkit("load", *options, "--json", ok=ok).stdout)


@contextmanager
def placing_orders(stack: RunningStack, *options: str) -> "Iterator[subprocess.Popen[str]]":
    """Waits until the load places orders. Its lock file may remain from an earlier load."""
    known = stack.sql(NEWEST)
    with stack.labkit.begin("load", *options) as load:
        wait_until(lambda: stack.sql(NEWEST) != known, "orders are placed")
        yield load


def test_clients_post_no_faster_than_their_orders_finish(stack: RunningStack) -> None:
    before = stack.sql("select count(*) as n from order_db.orders")
    found = figures(stack, "--clients", "4", "--seconds", "2", "--customers", "5", "--seed", "7")
    after = stack.sql("select count(*) as n from order_db.orders")
    assert found["seed"] == 7
    assert found["unfinished"]["count"] == found["wrong"]["count"] == 0
    assert found["posted"] == sum(found["states"].values())
    assert found["posted"] - found["finished"] <= 4
    assert found["states"]["APPROVED"] > 0
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p95"] <= found["latency_ms"]["p99"]
    assert before != after


def test_a_rate_is_kept_past_the_gateway(stack: RunningStack) -> None:
    """A load process that loses the processor posts the missed orders at once, except those missed at the very end."""
    found = figures(stack, "--rate", "20", "--seconds", "3", "--customers", "5", "--direct")
    assert 35 <= found["posted"] <= 20 * found["seconds"] + 5
    assert found["posted"] == sum(found["states"].values())


def test_orders_that_do_not_finish_are_counted_and_named(stack: RunningStack) -> None:
    known = stack.sql(NEWEST)
    with ThreadPoolExecutor() as pool:
        load = pool.submit(stack.labkit, "load", "--clients", "3", "--seconds", "8", "--customers", "1", "--json", ok=False)
        while stack.sql(NEWEST) == known:
            assert not load.done()
        with stack.paused("customers"):
            done = load.result()
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["unfinished"]["count"] == len(found["unfinished"]["examples"]) == 3


@pytest.mark.parametrize("how", [("--rate", "50"), ("--clients", "8")], ids=["rate", "clients"])
def test_it_steps_aside_while_a_check_judges_the_stack(stack: RunningStack, how: tuple[str, str]) -> None:
    with placing_orders(stack, *how, "--seconds", "4", "--customers", "3", "--json") as load:
        done = stack.labkit("lab", "1", "check", "1.4", "1.5", "--seed", "3")
        assert "2 passed" in done.stdout
        said, _ = load.communicate()
    found = json.loads(said)
    assert load.returncode == 0
    assert 3.9 <= found["seconds"] <= 5
    assert found["aside"]["seconds"] > 0
    assert found["aside"]["runs"][0].startswith("labkit lab 1 check (pid ")
    assert found["refused"] == {}
    assert found["unfinished"]["count"] == found["wrong"]["count"] == 0


def test_it_ends_at_once_while_it_steps_aside(stack: RunningStack) -> None:
    with (
        placing_orders(stack, "--rate", "5", "--seconds", "600", "--customers", "1") as load,
        run_lock.run(stack.described, "labkit elsewhere"),
    ):
        load.send_signal(signal.SIGINT)
        said, _ = load.communicate()
    assert load.returncode == 0
    assert "It stepped aside for" in said
    assert "while labkit elsewhere (pid " in said


def test_while_mysql_is_away_it_counts_and_goes_on(stack: RunningStack) -> None:
    with placing_orders(stack, "--rate", "20", "--seconds", "6", "--customers", "2", "--json") as load:
        stack.labkit("fault", "kill", "mysql")
        stack.labkit("heal", "--all")
        said, _ = load.communicate()
    found = json.loads(said[said.index("{") :])
    assert load.returncode == 1
    assert found["unseen"]["seconds"] > 0
    assert found["finished"] > 0
    assert found["refused"]


def test_without_a_stack_it_says_what_to_do(stack: RunningStack) -> None:
    done = stack.labkit("load", "--name", "no-such", ok=False)
    assert done.returncode == 1
    assert "labkit up" in done.stderr
    assert "Traceback" not in done.stderr
