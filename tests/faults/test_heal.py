"""What healing reports: the state of the restarted component, and any obstacle. Healing is never refused because the target has ended."""

import json
import os
import signal
import socket
import threading
from urllib.parse import urlsplit

import pytest

from labkit.faults import control
from labkit.stack import state as states
from tests.faults.faults import Faults
from tests.running import RunningStack, wait_until

NEVER = 10**9  # a generation that no service acknowledges


@pytest.mark.native
def test_a_port_that_is_taken_is_the_machines_fault_and_says_who_holds_it(stack: RunningStack, faults: Faults) -> None:
    stack.labkit("reset", "--yes")
    port = urlsplit(RunningStack(stack.labkit).url("customers")).port
    fault = faults("stop", "customers")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port or 0))
        listener.listen()
        healed = stack.labkit("heal", fault["id"], ok=False)
        assert healed.returncode == 2
        assert f"customers is not running: it could not start: its port {port} is held by" in healed.stdout
        assert f"(pid {os.getpid()}" in healed.stdout
        assert "Nothing of it is left" not in healed.stdout
        judged = stack.labkit("verify", "--json", ok=False)
        assert judged.returncode == 2, judged.stdout  # its code is not blamed
        (finding,) = json.loads(judged.stdout)["findings"]
        assert f"customers could not start: its port {port} is held by" in finding["sentence"]
    stack.labkit("up")


@pytest.mark.native
def test_who_ends_while_it_is_disarmed_is_waited_for_no_more(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(stack.labkit.home))
    known = states.load(stack.labkit.name)
    pid = next(c["pid"] for c in stack.labkit.status()["components"] if c["name"] == "customers")
    ended: list[BaseException | None] = []

    def disarm() -> None:
        try:
            control.await_disarmed(known, ["customers"], NEVER)
            ended.append(None)
        except BaseException as error:
            ended.append(error)

    waiting = threading.Thread(target=disarm)
    waiting.start()
    os.kill(pid, signal.SIGKILL)
    waiting.join(30)
    assert ended == [None]
    wait_until(lambda: not stack.labkit.status()["ready"], "customers has ended")
    stack.labkit("up")
