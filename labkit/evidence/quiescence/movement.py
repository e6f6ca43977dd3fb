"""What moved between two samples, and which process moves it."""

import time
from collections.abc import Sequence

from labkit.brokers.model import Place
from labkit.evidence.binlog.statements import first_word
from labkit.evidence.quiescence.model import Sample
from labkit.stack import accounts, sql
from labkit.stack.model import Stack
from labkit.system.model import Profile

WATCHED_S = 2.0
WRITING = {"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "COMMIT", "CALL", "TRUNCATE", "ALTER", "CREATE", "DROP", "RENAME", "XA"}
OF_THE_SERVER = {"root", "system user", "event_scheduler", "unauthenticated user"}


def describe(before: Sample, after: Sample, profile: Profile) -> str:
    """Describe in a few words what moved; empty if nothing did."""
    if before.positions == after.positions:
        return ""
    moved = []
    if before.binlog != after.binlog:
        moved.append(f"MySQL's binlog went from {before.binlog or 'unread'} to {after.binlog or 'unread'}")
    for topic in sorted({topic for topic, _ in after.bounds}):
        more = sum(of.added - _added(before, place) for place, of in after.bounds.items() if place[0] == topic)
        if more:
            moved.append(f"{profile.short(topic)} got {more} records")
    if before.committed != after.committed:
        groups = [group for group, positions in after.committed.items() if before.committed.get(group) != positions]
        moved.append(f"{', '.join(groups) or 'groups'} went on")
    if before.redis != after.redis:
        moved.append("Redis was written to")
    return ", ".join(moved) or "the logs' beginnings moved"


def _added(sample: Sample, place: Place) -> int:
    return sample.bounds[place].added if place in sample.bounds else 0


def writer(stack: Stack) -> str | None:
    """Describe the account that is writing to MySQL, other than those of the services and the server.

    An account with a changing statement, or with changes in its open transaction, is certain. Otherwise the result is `perhaps` one of the
    other connected accounts. None if there is none or MySQL does not answer.
    """
    known = {*accounts.mysql_users(stack.profile), *OF_THE_SERVER} - {accounts.ADMIN}
    deadline, connected = time.monotonic() + WATCHED_S, set[str]()
    try:
        with sql.connected(stack.mysql) as cursor:
            while time.monotonic() < deadline:  # repeat: some clients open a new connection for each statement
                cursor.execute(
                    "SELECT p.user, p.info, t.trx_rows_modified FROM information_schema.processlist p"
                    " LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id WHERE p.id <> CONNECTION_ID()"
                )
                for user, statement, rows in cursor.fetchall():
                    if user not in known:
                        if rows or first_word(statement or "") in WRITING:
                            return f"the account {user}"
                        connected.add(str(user))
                time.sleep(0.01)
    except OSError:
        pass
    return f"perhaps the account {min(connected)}" if connected else None


def rate(samples: Sequence[Sample]) -> str | None:
    """Return the number of records a second that the broker received meanwhile."""
    if len(samples) < 2 or samples[-1].monotonic_s <= samples[0].monotonic_s:
        return None
    return f"{(samples[-1].added - samples[0].added) / (samples[-1].monotonic_s - samples[0].monotonic_s):.1f}"
