"""Inputs other than messages: hints, lines of hits, Python's warnings."""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.faults import control
from labkit.faults.ledger import BY_HAND, Fault, Owner
from services.messaging.relay_hint import AT_ONCE, HintListener
from services.workshop.hits import Hits

ROOT = Path(__file__).parents[2]


def test_a_flood_of_hints_is_read_in_bounds_and_hides_no_true_one() -> None:
    async def flooded() -> None:
        news = {"customer_db": asyncio.Event(), "order_db": asyncio.Event()}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            address = probe.getsockname()
        listener = HintListener(address, news)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.connect(address)
        try:
            for junk in (b"", b"x", b"x" * 60_000, b"\xff", b"customer_db\0"):
                sender.send(junk)
            sender.send(b"order_db")
            await asyncio.wait_for(news["order_db"].wait(), 10)
            assert not news["customer_db"].is_set()
            for _ in range(AT_ONCE):
                sender.send(b"x")
            await asyncio.wait_for(news["customer_db"].wait(), 10)  # there may have been a true hint among them
            news["customer_db"].clear()
            await asyncio.sleep(0.1)
            sender.send(b"customer_db")
            await asyncio.wait_for(news["customer_db"].wait(), 10)
        finally:
            sender.close()
            listener.close()

    asyncio.run(flooded())


LINES = [
    '{"version":1,"fault":"14","kind":"crash","what":"crash","attempt":1,"time":1.5}',
    '{"fault": "14", "what": "crash", "attempt": 1, "time": 1.5}',
    '{ "what" : "crash", "time": 2, "fault" : "14" }',
    '{"what": "crash", "time": 1.5, "fault": 14}',
]
NO_LINES = [
    "",
    "[]",
    "14",
    '"14"',
    '{"fault": "14"}',
    '{"fault": "140", "what": "crash"}',
    '{"fault": "14", "what": 1, "time": 1.5}',
    '{"fault": "14", "what": "crash", "time": "soon"}',
    '{"fault": "14",',
    "[" * 5_000,
]


@pytest.mark.parametrize("line", LINES)
def test_a_hit_is_read_as_json_however_it_is_written(tmp_path: Path, line: str) -> None:
    own = control.directory(tmp_path) / "hits" / "customers"
    own.mkdir(parents=True)
    (own / "hits.jsonl").write_text("\n".join([*NO_LINES, line, *NO_LINES]))
    settings = {"armed": [{"target": "customers"}]}
    fault = Fault(id="14", verb="crash", target="customers", said="", settings=settings, owner=Owner(BY_HAND, 1, ""), made=0.0)
    assert [(hit["component"], hit["what"]) for hit in control.hits(tmp_path, fault)] == [("customers", "crash")]


def test_a_service_starts_whatever_stands_in_its_hits(tmp_path: Path) -> None:
    path = tmp_path / "hits.jsonl"
    odd = ['{"fault": "14", "what": "crash", "attempt": "x", "message_id": "m"}', '{"fault": "14", "what": [], "attempt": null}']
    path.write_text("\n".join([*NO_LINES, *odd, *LINES]))
    hits = Hits()
    hits.open(path)
    assert hits.is_spent("14")


def test_a_coroutine_that_nobody_awaited_is_logged_with_its_handler() -> None:
    script = """
import asyncio
from services.messaging.delivery import Delivery, in_hand
from services.messaging.brokers import Position, Record
from services.messaging.events import Reaction
from services.log import warnings_in_our_log
from services.messaging.message import Message
from services.contracts.orders import OrderCancelled

async def release(): pass
async def release_credit(order, tx): release()

async def main():
    warnings_in_our_log()
    for n in (1, 2):
        message, reaction = Message("c", {"ID": f"m-{n}"}, "{}"), Reaction(OrderCancelled, release_credit)
        delivery = Delivery(Record("c", 0, Position((n,)), Position((n + 1,)), None, None), 0, message, None, reaction)
        with in_hand(delivery):
            await release_credit(None, None)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["event"], line["message_id"], line["handler"]) for line in lines] == [
        ("warning", "m-1", "release_credit"),
        ("warning", "m-2", "release_credit"),
    ]
    assert lines[0]["error"] == "RuntimeWarning: coroutine 'release' was never awaited"
