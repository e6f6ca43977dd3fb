"""labkit load: place orders, wait for them to finish, and report throughput, latencies and failures."""

import asyncio
import json
import signal
import sys
from collections import Counter

from labkit.errors import ExitCode
from labkit.faults import notes
from labkit.invariants.wording import joined
from labkit.load.generator import Load, run
from labkit.load.model import LoadPlan, LoadTarget, Tally
from labkit.stack import run_lock, state
from labkit.terminal import say

EXAMPLES = 5


def load(
    stack_name: str, *, clients: int, rate: float | None, seconds: float, customers: int, direct: bool, as_json: bool, seed: int | None
) -> ExitCode:
    """Exit code 1 if an order did not finish, finished in the wrong state, or could not be placed."""
    stack = state.load(stack_name)
    notes.heal_left_behind(stack, to_errors=as_json)
    mysql = stack.observer
    target = LoadTarget(
        orders_table=str(stack.profile.table("order")),
        customers_url=stack.url("customers" if direct else "gateway"),
        orders_url=stack.url("orders" if direct else "gateway"),
        mysql_host=mysql.host,
        mysql_port=mysql.port,
        mysql_user=mysql.user,
        mysql_password=mysql.password,
    )
    plan = LoadPlan(seconds=seconds, clients=clients, rate=rate, customers=customers, seed=_any_seed() if seed is None else seed)
    with run_lock.load(stack, "labkit load") as turn:
        tally = run(target, plan, turn=turn, watch=lambda load: _attend(load, live=sys.stderr.isatty() and not as_json))
    if as_json:
        say.raw(json.dumps(figures(plan, tally), indent=2))
    else:
        say.line(text(plan, tally, through="direct" if direct else "gateway"))
    for line in notes.notes(stack):
        say.problem(line)
    return ExitCode.FAIL if tally.unfinished or tally.wrong or tally.failed_posts else ExitCode.OK


def _any_seed() -> int:
    import secrets

    return secrets.randbelow(1_000_000)


def _attend(load: Load, *, live: bool) -> "asyncio.Task[None]":
    """Make Ctrl-C stop the posting and show the measurements so far. A second Ctrl-C ends the command."""
    loop = asyncio.get_running_loop()

    def first_interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        load.stop()

    loop.add_signal_handler(signal.SIGINT, first_interrupt)
    return loop.create_task(_show(load) if live else asyncio.sleep(0))


async def _show(load: Load) -> None:
    try:
        while True:
            tally = load.tally
            recent = sorted(tally.latencies[-500:])
            p50 = f"{recent[len(recent) // 2] * 1000:.1f} ms" if recent else "–"
            failed = f"   refused {tally.failed_posts.total()}" if tally.failed_posts else ""
            line = f"{tally.finished:7} sagas   {tally.rate:7.0f} sagas/s   p50 {p50}   outstanding {tally.outstanding}{failed}"
            say.progress("stepped aside: a run judges the stack" if load.is_aside else line)
            await asyncio.sleep(0.2)
    finally:
        say.progress("")


def figures(plan: LoadPlan, tally: Tally) -> dict[str, object]:
    """Return the result as JSON data. Latencies are in milliseconds, null if no order finished."""
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        "seconds": round(tally.seconds, 3),
        "clients": None if plan.rate else plan.clients,
        "rate": plan.rate,
        "seed": plan.seed,
        "posted": tally.posted,
        "finished": tally.finished,
        "sagas_per_second": round(tally.rate, 1),
        "latency_ms": {name: _rounded(tally.percentile(share)) for name, share in shares.items()},
        "states": dict(tally.states),
        "unfinished": {"count": len(tally.unfinished), "examples": tally.unfinished[:EXAMPLES]},
        "wrong": {"count": len(tally.wrong), "examples": tally.wrong[:EXAMPLES]},
        "refused": dict(tally.failed_posts),
        "unseen": {"seconds": round(tally.unseen_s, 3), "reasons": dict(tally.failed_looks)},
        "aside": {"seconds": round(tally.aside_s, 3), "runs": tally.aside_for},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def text(plan: LoadPlan, tally: Tally, *, through: str) -> str:
    how = f"{plan.rate:g} orders/s" if plan.rate else f"{plan.clients} {'client' if plan.clients == 1 else 'clients'}"
    lines = [f"{tally.finished} sagas in {tally.seconds:.1f} s: {tally.rate:.0f} sagas/s ({how}, {through}, seed {plan.seed})"]
    if tally.latencies:
        p50, p95, p99 = (tally.percentile(share) or 0.0 for share in (0.5, 0.95, 0.99))
        lines.append(f"From POST to final state: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")
    if tally.states:
        lines.append("Ended " + ", ".join(f"{state} {count}" for state, count in sorted(tally.states.items())))
    if tally.unfinished:
        examples = ", ".join(map(str, tally.unfinished[:EXAMPLES])) + (", …" if len(tally.unfinished) > EXAMPLES else "")
        lines += ["", f"✗ {_orders(len(tally.unfinished))} still PENDING after 10 s: {examples}", "  next  labkit status"]
    if tally.wrong:
        lines += ["", f"✗ {_orders(len(tally.wrong))} ended in the wrong state: {tally.wrong[0]}"]
    for reason, count in Counter(tally.failed_posts).most_common(3):
        lines += ["", f"✗ {_orders(count)} not answered with 200: {reason}"]
    if tally.aside_for:
        lines += ["", f"It stepped aside for {tally.aside_s:.1f} s, while {joined(tally.aside_for)} judged the stack."]
    if tally.failed_looks:
        lines += [
            "",
            f"MySQL did not answer for {tally.unseen_s:.1f} s ({next(iter(tally.failed_looks))}): some orders' ends were seen late.",
        ]
    return "\n".join(lines)


def _orders(count: int) -> str:
    return f"{count} order" if count == 1 else f"{count} orders"
