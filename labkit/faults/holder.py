"""The holder: the single process of a stack that owns row locks and timers. It is detached, and a file lock keeps it unique.

The holder follows the ledger. It takes a row lock for each lock fault that is not being healed, heals each fault whose time is up, and ends
when it has no locks and no timers. If it is killed, MySQL releases its locks, and the next labkit command heals overdue faults.
"""

import fcntl
import json
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import IO, Any

from labkit import paths
from labkit.faults import engine
from labkit.faults.holder_process import NAME
from labkit.faults.ledger import ACTIVE, INTENDED, Fault, Ledger
from labkit.stack import processes, sql, state
from labkit.stack.model import Stack
from labkit.terminal import say

LOOK_S = 0.05
LINGER_S = 0.5  # idle time before the holder ends
ENDING_S = 10.0  # time that the previous holder has to end


class FaultHolder:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._ledger = Ledger(stack.directory)
        self._locks: dict[str, Any] = {}
        self._folder = stack.directory / "holder"
        self._failed: set[str] = set()
        self._healer: threading.Thread | None = None

    def run(self) -> None:
        idle_since = time.monotonic()
        while True:
            faults = self._ledger.open()
            self._tend_locks(faults)
            self._heal_overdue(faults)
            if self._has_work(faults):
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > LINGER_S:
                (self._stack.directory / "processes" / NAME).unlink(missing_ok=True)
                if not self._has_work(self._ledger.open()):
                    return
                idle_since = time.monotonic()
                record(self._stack)
            time.sleep(LOOK_S)

    def _has_work(self, faults: list[Fault]) -> bool:
        """Whether there is a lock or a timer to serve. A fault that is overdue and could not be healed is left to the next command."""
        timers = any(f.until is not None and f.id not in self._failed for f in faults)
        healing = self._healer is not None and self._healer.is_alive()
        return bool(self._locks) or timers or healing or any(f.verb == "lock" and f.state == INTENDED and f.owner.alive() for f in faults)

    def _tend_locks(self, faults: list[Fault]) -> None:
        now = time.time()
        wanted = {f.id: f for f in faults if f.verb == "lock" and f.state in (INTENDED, ACTIVE) and not f.overdue(now)}
        for fault_id in set(self._locks) - set(wanted):
            self._locks.pop(fault_id).close()  # closing the connection rolls back
            (self._folder / f"{fault_id}.json").unlink(missing_ok=True)
        for fault_id, fault in wanted.items():
            if fault_id not in self._locks and fault.state == INTENDED and not (self._folder / f"{fault_id}.json").exists():
                self._lock(fault)

    def _lock(self, fault: Fault) -> None:
        import pymysql

        at, settings = self._stack.mysql, fault.settings
        try:
            who = {"host": at.host, "port": at.port, "user": at.user, "password": at.password}
            connection = sql.connect(**who, connect_timeout=2, read_timeout=8)
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET SESSION innodb_lock_wait_timeout = 5, wait_timeout = 86400")
                    cursor.execute("BEGIN")
                    query = f"SELECT * FROM {settings['table']} WHERE {settings['column']} = %s FOR UPDATE"
                    if not cursor.execute(query, [settings["key"]]):
                        raise ValueError(f"{settings['table']} has no row with {settings['column']} = {settings['key']}")
            except BaseException:
                connection.close()
                raise
        except (pymysql.MySQLError, ValueError, OSError) as error:
            self._tell(fault, {"error": str(error.args[-1] if error.args else error)})
            return
        self._locks[fault.id] = connection
        self._tell(fault, {"connection": connection.thread_id()})

    def _tell(self, fault: Fault, facts: dict[str, Any]) -> None:
        self._folder.mkdir(exist_ok=True)
        paths.write(self._folder / f"{fault.id}.json", json.dumps(facts))

    def _heal_overdue(self, faults: list[Fault]) -> None:
        """Heal in a separate thread: starting a component takes time, and other faults need their locks meanwhile."""
        now = time.time()
        overdue = [fault for fault in reversed(faults) if fault.overdue(now) and fault.id not in self._failed]
        if overdue and not (self._healer and self._healer.is_alive()):
            self._healer = threading.Thread(target=self._heal, args=[overdue], name="healer", daemon=True)
            self._healer.start()

    def _heal(self, overdue: list[Fault]) -> None:
        for fault in overdue:
            try:
                engine.heal(self._stack, fault, how="its time expired")
            except Exception as error:  # the next labkit command tries again and reports the error
                say.line(f"fault {fault.id}: {error}")
                self._failed.add(fault.id)


def main() -> None:
    stack = state.find(sys.argv[1])
    if stack is None:
        return
    signal.signal(signal.SIGTERM, _end)
    with (stack.directory / "holder.lock").open("a") as file:
        if not _alone(file):
            return  # another holder runs
        record(stack)
        FaultHolder(stack).run()


def _alone(file: IO[str]) -> bool:
    """Take the file lock, and wait a while for a holder that is about to end. Returns whether this process has the lock."""
    deadline = time.monotonic() + ENDING_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_S)


def record(stack: Stack) -> None:
    """Record this process as the holder."""
    processes.record(stack.directory, NAME, processes.identified(os.getpid()))


def _end(_: int, __: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
