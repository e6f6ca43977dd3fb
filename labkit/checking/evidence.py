"""The evidence for a check's verdict: every store at one moment, limited to the check's own customers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from labkit.checking.checks import Failed, NotJudged
from labkit.evidence import database
from labkit.evidence.environment import utc
from labkit.invariants.discovery import Invariant, of_profile
from labkit.trace.handler import handler_words
from labkit.trace.tables import EvidenceTables
from labkit.verdict.judge import Judgement, RuleOutcome, judge

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OLDER = """
SELECT (SELECT count(*) FROM orders WHERE state = 'PENDING' AND customer_id NOT IN (FROM scope)) AS pending,
  (SELECT count(*) FROM reservations r LEFT JOIN orders o ON o.id = r.order_id
   WHERE r.customer_id NOT IN (FROM scope) AND coalesce(o.state, '') <> 'APPROVED') AS leaked
"""
_FOREIGN = """
WITH asked AS (SELECT order_id, customer_id, total FROM requests WHERE operation = 'create_order')
SELECT o.id, o.customer_id, o.total FROM orders o JOIN scope s USING (customer_id)
WHERE o.id NOT IN (SELECT order_id FROM asked WHERE order_id IS NOT NULL)
  AND NOT EXISTS (FROM asked a WHERE a.order_id IS NULL AND a.customer_id = o.customer_id AND a.total = o.total)
ORDER BY o.id
"""


@dataclass
class Evidence:
    """The evidence of one moment. `connection` is the evidence database; `requests` are the calls of the entire run."""

    connection: "DuckDBPyConnection"
    requests: Sequence[dict[str, Any]]
    older: str | None = None
    """What earlier attempts left behind, as a sentence."""

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, list(values)).fetchall()

    def about_handler(self, service: str, event: str, message_id: str | None) -> str:
        """Return what happened to a message that was taken without effect, if the service's log shows it, and otherwise a question."""
        return handler_words(EvidenceTables(self.connection), service, event, message_id)

    def require(self, *invariants: Invariant, about: Iterable[int]) -> None:
        """Require that these invariants hold for these customers (ids), that there was something to judge, and that no other invariant of
        the profile is violated. Raises Failed with the first violation, or else NotJudged with the obstacle."""
        judgement = self._judged(invariants, about)
        for finding in judgement.findings:
            if finding.is_failure:
                raise Failed.of(finding)
        violated = [(result.invariant, result.first) for result in judgement.results if result.outcome is RuleOutcome.FAIL and result.first]
        for invariant, witness in violated:
            if invariant in invariants:
                raise Failed.of(witness)
        self._refuse_foreign_orders()
        for _, witness in violated:
            raise Failed.of(witness)
        for finding in judgement.findings:
            raise NotJudged.of(finding)
        for result in judgement.results:
            if result.outcome is RuleOutcome.UNKNOWN and result.invariant in invariants:
                sentence = f"{result.invariant.id} was not judged: {result.reason}."
                raise NotJudged(sentence, next_step=result.next_step or "labkit status")

    def _judged(self, invariants: Sequence[Invariant], about: Iterable[int]) -> Judgement:
        hold = self._hold
        self._narrow(set(about))
        others = [each for each in self._of_profile if each not in invariants and each.id not in hold]
        return judge(self.connection, [*invariants, *others], must_judge=[i.id for i in invariants], hold=hold)

    def _narrow(self, own: set[int]) -> None:
        """Limit the evidence to these customers (ids) and to the requests about them."""
        with database.in_one_transaction(self.connection):
            self.connection.execute("DELETE FROM scope")
            self.connection.execute("DELETE FROM requests")
            database.insert(self.connection, "scope", [{"customer_id": customer} for customer in sorted(own)])
            orders = {row["order_id"] for row in self.requests if row.get("customer_id") in own and row.get("order_id") is not None}
            requests = [row for row in self.requests if row.get("customer_id") in own or row.get("order_id") in orders]
            database.insert(self.connection, "requests", requests)

    @cached_property
    def _hold(self) -> frozenset[str]:
        """The ids of the invariants of the profile that hold for all customers of the run. They need not be judged for some of them."""
        self._narrow({row["customer_id"] for row in self.requests if row.get("customer_id") is not None})
        results = judge(self.connection, self._of_profile).results
        return frozenset(result.invariant.id for result in results if result.outcome in (RuleOutcome.PASS, RuleOutcome.NOTHING))

    @cached_property
    def _of_profile(self) -> list[Invariant]:
        (profile,) = self.rows("SELECT value FROM facts WHERE name = 'profile'")[0]
        return of_profile(profile)

    def _refuse_foreign_orders(self) -> None:
        for order_id, customer_id, total in self.rows(_FOREIGN):
            sentence = (
                f"Order {order_id} ({total}) of customer {customer_id} was not placed by this check: another program uses its customers."
            )
            raise NotJudged(sentence, next_step="stop the other program, then run the check again")


def forget_older(connection: "DuckDBPyConnection", since: float) -> None:
    """Delete rows that existed before `since` (epoch seconds) and concern no order and no customer."""
    for table, moment in (("dead_letters", "parked"), ("outbox", "created"), ("records", "appended")):
        nobody = "" if table == "dead_letters" else " AND order_id IS NULL AND customer_id IS NULL"
        connection.execute(f"DELETE FROM {table} WHERE {moment} < ?{nobody}", [utc(since)])


def older(connection: "DuckDBPyConnection", parked: int) -> str | None:
    """Return a sentence about what earlier attempts left behind, or None."""
    row = connection.execute(_OLDER).fetchone()
    assert row is not None
    words = ("order is still PENDING", "orders are still PENDING"), ("reservation is left over", "reservations are left over")
    parts = [f"{count} {one if count == 1 else more}" for count, (one, more) in zip(row, words, strict=True) if count]
    if parked:
        parts.append(f"{parked} message{'s were' if parked > 1 else ' was'} given up")
    return f"From earlier attempts {', '.join(parts)}; this does not affect the result." if parts else None
