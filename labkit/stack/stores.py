"""Empty every store, and set the mark where evidence begins."""

import json
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from labkit import brokers, paths
from labkit.account import Account
from labkit.brokers.model import Place, Position
from labkit.errors import UserError
from labkit.stack import sql
from labkit.stack.model import Stack

TIMEOUT, QUICK = 30.0, 2.0  # seconds


def empty(stack: Stack) -> None:
    """Empty tables, records and view. No service may write meanwhile. Raises UserError when a store refuses; stores emptied before that
    stay empty.
    """
    with ThreadPoolExecutor() as pool:
        binlog, starts, view = pool.submit(_empty_mysql, stack), pool.submit(_empty_broker, stack), pool.submit(_empty_redis, stack)
        try:
            view.result()
            write_mark(stack, binlog.result(), starts.result())
        except (OSError, ValueError) as error:
            raise UserError(f"The stores could not be emptied: {error}.", "labkit reset") from error


def hold_anything(stack: Stack) -> bool:
    """Whether any table of the services has a row. Also True when the database does not answer."""
    try:
        with sql.connected(stack.observer, QUICK) as cursor:
            cursor.execute("SELECT " + " OR ".join(f"EXISTS(SELECT 1 FROM {table})" for table in stack.profile.tables))
            return bool(cursor.fetchone()[0])
    except OSError:
        return True


def write_mark(stack: Stack, binlog: dict[str, object], starts: Mapping[Place, Position]) -> None:
    """Write `{"time": epoch seconds, "binlog": {"file", "position"}, BROKER: {channel: [position of each partition]}, "ledger": bytes}`.

    BROKER is the broker's name in the profile. `bytes` is the size of the fault ledger. The evidence of a run is what comes after these
    positions. Times would not do, because clocks can be set back.
    """
    ledger = stack.directory / "faults.jsonl"
    written = brokers.positions(stack.profile).written
    positions: dict[str, list[int | str]] = {}
    for (channel, _), start in sorted(starts.items()):
        positions.setdefault(channel, []).append(written(start))
    mark = {
        "time": round(time.time(), 3),
        "binlog": binlog,
        stack.profile.broker: positions,
        "ledger": ledger.stat().st_size if ledger.exists() else 0,
    }
    paths.write(stack.directory / "mark.json", json.dumps(mark))


def _empty_mysql(stack: Stack) -> dict[str, object]:
    """Truncate all tables of the services and discard the earlier binlog. Returns the binlog position where evidence begins."""
    with ThreadPoolExecutor() as pool:  # each truncation waits for the disk, so they run in parallel
        list(pool.map(lambda schema: _truncate(stack.mysql, schema), stack.profile.schemas))
    with sql.connected(stack.mysql, TIMEOUT) as cursor:
        cursor.execute("FLUSH BINARY LOGS")
        mark = sql.binlog_position(cursor)
        cursor.execute("PURGE BINARY LOGS TO %s", [mark["file"]])
        return mark


def _truncate(account: Account, schema: str) -> None:
    with sql.connected(account, TIMEOUT) as cursor:
        cursor.execute("SET SESSION lock_wait_timeout = 5, foreign_key_checks = 0")
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = %s", [schema])
        for (table,) in cursor.fetchall():
            cursor.execute(f"TRUNCATE TABLE `{schema}`.`{table}`")


def _empty_broker(stack: Stack) -> dict[Place, Position]:
    """Delete all records. Returns the new start of each partition."""
    with brokers.of(stack).connect(TIMEOUT) as broker:
        return broker.empty(broker.channels())


def empty_view(stack: Stack) -> None:
    """Empty the view, so that it is rebuilt from the beginning of its channels. order-history must not run. Raises UserError."""
    try:
        _empty_redis(stack)
    except OSError as error:
        raise UserError(f"The view could not be emptied: {error}.", "labkit restart order-history") from error


def _empty_redis(stack: Stack) -> None:
    answer = ask_redis(stack.redis, "FLUSHDB", timeout=TIMEOUT)
    if answer != "+OK":
        raise OSError(f"Redis answered FLUSHDB with {answer}")


def ask_redis(account: Account, *words: str, timeout: float) -> str:
    """Return the first line of Redis's answer. Raises OSError when Redis does not answer or refuses the login."""
    requests = [("AUTH", account.password), words] if account.password else [words]
    with socket.create_connection((account.host, account.port), timeout) as connection:
        connection.settimeout(timeout)
        connection.sendall(b"".join(map(_redis_request, requests)))
        answers = connection.makefile("rb")
        if account.password and (refused := answers.readline().decode().strip()) != "+OK":
            raise OSError(f"Redis answered AUTH with {refused}")
        return answers.readline().decode().strip()


def _redis_request(words: Sequence[str]) -> bytes:
    return f"*{len(words)}\r\n".encode() + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in map(str.encode, words))
