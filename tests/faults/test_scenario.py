"""The scenario API: a run's faults are gone when it ends, however it ends; waits are bounded and report what they saw."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from labkit.checking.checks import Failed, NotJudged
from labkit.checking.session import session
from labkit.checking.waiting import until
from labkit.errors import UserError
from labkit.faults import specify
from labkit.stack import state
from labkit.stack.model import Stack
from tests.faults.faults import Faults
from tests.running import ROOT, RunningStack, wait_until


@pytest.fixture
def model(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setenv("LABKIT_HOME", str(stack.labkit.home))
    return state.load(stack.labkit.name)


def test_arm_act_await_the_hit_heal(model: Stack, faults: Faults) -> None:
    async def played() -> None:
        async with session(model, "a test") as run:
            ada = await run.shop.create_customer("Ada", "15.00")
            assert ada is not None
            gate = await run.faults.apply(specify.gate("customers", event_type="OrderCreated"))
            order = await run.shop.place_order(ada, "12.34")
            assert order.id is not None
            (held,) = await run.faults.hit(gate, "held")
            assert held["message_id"] == faults.message_of(order.id)
            assert await run.shop.order_state(order.id) == "PENDING"
            await run.faults.fired(gate)
            await run.faults.heal(gate)
            number = order.id
            await until("the order is approved", lambda: run.shop.order_state(number), lambda seen: seen == "APPROVED")
            assert {row["outcome"] for row in run.shop.requests} == {"ok"}

    asyncio.run(played())


def test_an_order_that_got_no_answer_has_an_unknown_outcome(model: Stack, faults: Faults) -> None:
    async def played() -> None:
        async with session(model, "a test") as run:
            ada = await run.shop.create_customer("Ada", "15.00")
            assert ada is not None
            crash = await run.faults.apply(specify.crash("orders", "order.create.after_commit_before_publish"))
            order = await run.shop.place_order(ada, "12.34")
            assert order.id is None
            assert run.shop.requests[-1]["outcome"] == "unknown"
            await run.faults.fired(crash)

    asyncio.run(played())


def test_an_error_in_the_middle_heals_all_of_it(model: Stack, faults: Faults) -> None:
    async def played() -> None:
        async with session(model, "a test") as run:
            await run.faults.apply(specify.outage(model, "pause", "customers"))
            await run.faults.apply(specify.gate("orders"))
            assert faults.is_frozen("customers")
            raise LookupError("on purpose")

    with pytest.raises(LookupError):
        asyncio.run(played())
    assert not faults.is_frozen("customers")
    faults.assert_nothing_left()


def test_a_handler_that_no_longer_passes_a_place_is_a_failure(model: Stack, faults: Faults) -> None:
    async def played() -> None:
        async with session(model, "a test") as run:
            ada = await run.shop.create_customer("Ada", "15.00")
            assert ada is not None
            crash = await run.faults.apply(specify.crash("customers", "customer.release.after_outbox_insert"))  # no order is cancelled
            order = await run.shop.place_order(ada, "12.34")
            number = order.id
            assert number is not None

            async def past() -> bool:
                return await run.shop.order_state(number) == "APPROVED"

            await run.faults.hit(crash, "crash", past=past)

    with pytest.raises(Failed, match=r"customers no longer passes customer\.release\.after_outbox_insert"):
        asyncio.run(played())


def test_a_wait_that_is_in_vain_says_what_it_saw(model: Stack, faults: Faults) -> None:
    async def played() -> None:
        async with session(model, "a test") as run:
            gate = await run.faults.apply(specify.gate("customers", key="1000000"))
            with pytest.raises(NotJudged, match=r"Waited 0\.1 s for 'held' of fault .* there was no sign of it"):
                await run.faults.hit(gate, "held", within_s=0.1)

            async def look() -> str:
                return "PENDING"

            with pytest.raises(NotJudged, match=r"until it is approved; last seen: 'PENDING'"):
                await until("it is approved", look, lambda seen: seen == "APPROVED", within_s=0.1)

    asyncio.run(played())


def test_downtime_lies_between_two_positions_of_the_binlog(model: Stack, faults: Faults) -> None:
    async def played() -> None:
        async with session(model, "a test") as run:
            ada = await run.shop.create_customer("Ada", "15.00")
            assert ada is not None
            async with run.faults.during(specify.outage(model, "stop", "customers")) as stopped:
                await run.shop.place_order(ada, "12.34")
            down, up = run.faults.downtime(stopped)
            assert down is not None
            assert up is not None
            assert (down["file"], down["position"]) < (up["file"], up["position"])

    asyncio.run(played())


def test_one_run_at_a_time(model: Stack, faults: Faults) -> None:
    async def played() -> None:
        async with session(model, "the first"):
            with pytest.raises(UserError, match=r"the first .* is at work"):
                async with session(model, "the second"):
                    pass

    asyncio.run(played())


ENDLESS = """
import asyncio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell starts in the background
from labkit.faults import specify
from labkit.checking.session import session
from labkit.stack import state
async def main():
    stack = state.load(sys.argv[1])
    async with session(stack, "labkit lab 9 check") as run:
        await run.faults.apply(specify.outage(stack, "pause", "customers"))
        await run.faults.apply(specify.gate("orders"))
        await run.faults.apply(specify.outage(stack, "kill", "order-history"))
        print("there", flush=True)
        await asyncio.sleep(3600)
asyncio.run(main())
"""


@contextmanager
def endless(stack: RunningStack) -> "Iterator[subprocess.Popen[str]]":
    engine = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "LABKIT_HOME": str(stack.labkit.home), **engine}
    command = [sys.executable, "-c", ENDLESS, stack.labkit.name]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == "there\n"
            yield run
        finally:
            run.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_heals_before_it_ends(stack: RunningStack, faults: Faults, number: signal.Signals) -> None:
    with endless(stack) as run:
        run.send_signal(number)
        run.wait(60)
    faults.assert_nothing_left()


def test_killed_it_is_healed_by_the_next_command_and_by_none_before(stack: RunningStack, faults: Faults) -> None:
    with endless(stack) as run:
        # meanwhile in a second terminal
        assert "belongs to labkit lab 9 check" in stack.labkit("status", ok=False).stdout
        stack.labkit("fault", "status")
        stack.labkit("fault", "list")
        stack.labkit("logs")
        refused = stack.labkit("lab", "1", "check", ok=False)
        assert refused.returncode == 2  # nothing was judged
        assert "labkit lab 9 check" in refused.stderr
        stack.labkit("fault", "switch", "gateway", "nothing", "1")
        assert faults.is_frozen("customers")
        own = [f for f in faults.all().values() if f["owner"]["command"] == "labkit lab 9 check" and f["owner"]["alive"]]
        assert [f["state"] for f in own] == ["active"] * 3
        run.kill()
        run.wait()
    assert "was left behind by labkit lab 9 check" in stack.labkit("status", ok=False).stdout
    assert faults.is_frozen("customers")
    said = stack.labkit("fault", "switch", "gateway", "nothing", "2").stdout
    assert said.count("left behind by an earlier run") == 3
    wait_until(lambda: not faults.is_frozen("customers"), "customers goes on")
    stack.labkit("heal", "--all")
    faults.assert_nothing_left()
