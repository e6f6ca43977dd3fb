"""A process that reads one store, so that MySQL, the broker and Redis are read in parallel.

Run as `python -m labkit.evidence.worker STORE PRODUCT`, where PRODUCT is the broker's product. It reads one JSON line for each task from
standard input. It answers with lines: `{"progress": n}`, then `{"done": {…}}` or `{"error": "…", "unreadable": bool}`. It ends when its
input ends. `Worker` is the other end.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from labkit.system.model import Profile

PACKAGE = Path(__file__).parents[2]
PROGRESS = 20_000  # rows between two progress messages


class StoreGone(Exception):
    """The store does not answer or refuses: a sentence without a full stop. `unreadable`: the store runs, but its data cannot be read."""

    def __init__(self, message: str, unreadable: bool = False) -> None:
        super().__init__(message)
        self.unreadable = unreadable


class Worker:
    """The process, started at once so that it can import its libraries while the caller waits for stillness."""

    def __init__(self, store: str, profile: Profile) -> None:
        """`store` is mysql, broker or redis."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH", "")]))}
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "labkit.evidence.worker", store, profile.broker_server.product],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C is for labkit, which ends its workers
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def begin(self, task: str, **arguments: Any) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"task": task, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # `result` reports how the process ended

    def result(self, progress: Callable[[int], None] = lambda count: None) -> dict[str, Any]:
        """Wait for the current task and return its answer. Raises StoreGone."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            if "progress" in answer:
                progress(answer["progress"])
            elif "done" in answer:
                done: dict[str, Any] = answer["done"]
                return done
            else:
                raise StoreGone(answer["error"], answer["unreadable"])
        code = self._process.wait()
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        raise StoreGone(f"the process that read it ended with exit code {code}" + (f": {lines[-1]}" if lines else ""), unreadable=True)


def main() -> None:
    store, product = sys.argv[1:]
    if store == "mysql":
        import pymysql  # noqa: F401 (loaded early, while nothing waits for it)
    elif store == "broker":
        from labkit import brokers

        brokers.load(product)
    for line in sys.stdin:
        _answer(json.loads(line), sys.stdout)


def _answer(task: dict[str, Any], output: TextIO) -> None:
    total, reported = 0, 0

    def send(**answer: Any) -> None:
        print(json.dumps(answer), file=output, flush=True)

    def progress(count: int) -> None:
        nonlocal total, reported
        total += count
        if total - reported >= PROGRESS:
            send(progress=total)
            reported = total

    from labkit.evidence.binlog.replication import BinlogUnreadable

    try:
        send(done=TASKS[task.pop("task")](progress=progress, **task))
    except BinlogUnreadable as error:
        send(error=str(error), unreadable=True)
    except (OSError, ValueError) as error:
        send(error=str(error), unreadable=False)


def _tables(progress: Callable[[int], None], account: dict[str, Any], profile: str, folder: str) -> dict[str, Any]:
    from labkit.account import Account
    from labkit.evidence import mysql
    from labkit.stack import state

    tables = mysql.read(Account(**account), state.profile_of(profile), Path(folder), progress)
    place = {"file": tables.position.file, "offset": tables.position.offset}
    return {"position": place, "kind": tables.kind, "version": tables.version, "missing": tables.missing, "unfit": tables.unfit}


def _binlog(
    progress: Callable[[int], None], account: dict[str, Any], profile: str, start: dict[str, Any], stop: dict[str, Any], folder: str
) -> dict[str, Any]:
    from labkit.account import Account
    from labkit.evidence.binlog import reader
    from labkit.evidence.binlog.replication import Position
    from labkit.stack import state

    reading = reader.read(Account(**account), state.profile_of(profile), Position(**start), Position(**stop), Path(folder), progress)
    return {"commits": reading.commits, "changes": reading.changes, "reason": reading.reason}


def _records(
    progress: Callable[[int], None],
    account: dict[str, Any],
    profile: str,
    starts: list[Any],
    ends: list[Any],
    folder: str,
    unanswered: list[str],
) -> dict[str, Any]:
    from labkit import brokers
    from labkit.account import Account
    from labkit.brokers.model import Place, Position
    from labkit.evidence import records
    from labkit.evidence.messages import Wire
    from labkit.stack import state

    def positions(rows: list[Any]) -> dict[Place, Position]:
        return {(channel, partition): Position(position) for channel, partition, position in rows}

    found = state.profile_of(profile)
    broker, wire = brokers.reached(found, Account(**account)), Wire(found)
    return {"records": records.read(broker, wire, positions(starts), positions(ends), Path(folder), progress, unanswered)}


def _view(progress: Callable[[int], None], account: dict[str, Any], profile: str, folder: str) -> dict[str, Any]:
    from labkit import brokers
    from labkit.account import Account
    from labkit.evidence import redis
    from labkit.stack import state

    positions = brokers.positions(state.profile_of(profile))
    return {"customers": redis.read(Account(**account), positions, Path(folder), progress)}


TASKS: dict[str, Callable[..., dict[str, Any]]] = {"tables": _tables, "binlog": _binlog, "records": _records, "view": _view}


if __name__ == "__main__":
    main()
