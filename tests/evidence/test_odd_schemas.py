"""Schema changes by learners, and unrelated entries in the log: the verdict equals that of the plain schema, or is unknown with a
reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.evidence import database, mysql, table_files, unconverted
from labkit.evidence.binlog import reader
from labkit.evidence.collection.over_time import note_changes
from labkit.invariants import discovery
from labkit.pass_fail_unknown import Verdict
from labkit.verdict.judge import Judgement, RuleOutcome, judge
from tests.evidence.odd_schemas import STORIES, Case
from tests.evidence.servers import DatabaseServer, found_servers, running
from tests.running import PROFILE, in_soak

SERVERS = {f"{server.kind} {server.version}": server for server in found_servers()}
VIOLATED = {"right": set(), "overspent": {"I1"}, "illegal": {"I8"}, "undecided": {"I6", "I8", "I11"}}
IN_CI, IN_SOAK = 20, 200
BESIDE = ("I3", "I7")  # these need requests and the view, which no database contains


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    with running(SERVERS[request.param]) as database_server:
        database_server.run("SET GLOBAL sync_binlog = 0, GLOBAL innodb_flush_log_at_trx_commit = 0")  # durability is not needed here
        if database_server.server.kind == "MySQL":  # from 9 on it refuses MyISAM next to InnoDB by default
            database_server.run(*(f"SET GLOBAL gtid_mode = {mode}" for mode in ("ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF")))
            database_server.run("SET GLOBAL enforce_gtid_consistency = OFF")
        yield database_server


def judged(case: Case, folder: Path) -> Judgement:
    """Judges a database as `verify` does. There is no Kafka; the outboxes replace it."""
    case.server.run("DROP DATABASE order_db", "DROP DATABASE customer_db")
    case.server.provision()
    start = case.server.position()
    case.play()
    tables = mysql.read(case.server.observer, PROFILE, folder)
    connection = database.new()
    try:
        not_read = unconverted.reason(table_files.load(connection, folder), PROFILE)
        database.set_complete(connection, "tables", next(iter(tables.missing), not_read))
        changes = folder / "changes"
        changes.mkdir()
        reading = reader.read(case.server.observer, PROFILE, start, tables.position, changes)
        note_changes(connection, PROFILE, reading.reason, tables.unfit, unconverted.reason(table_files.load(connection, changes), PROFILE))
        connection.execute(
            "INSERT INTO records BY NAME SELECT topic, channel, 0 AS partition_no, row_number() OVER (ORDER BY commit_no) - 1 AS offset_no,"
            " message_id, event, aggregate_id, order_id, customer_id, key, 0 AS message_index FROM outbox_changes WHERE op = 'insert'"
        )
        database.set_complete(connection, "records", reading.reason)  # the outboxes replace them
        for source in ("groups", "environment", "moment"):
            database.set_complete(connection, source)
        database.set_fact(connection, "stillness", "settled")
        return judge(connection, [i for i in discovery.all_invariants() if i.id not in BESIDE])
    finally:
        connection.close()


@pytest.mark.parametrize("story", STORIES)
def test_the_plain_schema_has_the_verdict_of_the_story(server: DatabaseServer, tmp_path: Path, story: str) -> None:
    case = Case(0, server, odd=False)
    case.story = story
    judgement = judged(case, tmp_path)
    assert {result.invariant.id for result in judgement.results if result.outcome is RuleOutcome.FAIL} == VIOLATED[story]
    assert judgement.verdict is (Verdict.FAIL if VIOLATED[story] else Verdict.PASS)


@pytest.mark.parametrize("seed", [*range(IN_CI), *in_soak(*range(IN_CI, IN_SOAK))])
def test_an_odd_schema_has_the_same_or_an_unknown_that_says_why(server: DatabaseServer, tmp_path: Path, seed: int) -> None:
    case = Case(seed, server, odd=True)
    try:
        judgement = judged(case, tmp_path)
    except BaseException:
        print(f"seed {seed}, {case.story}:", *case.said, sep="\n  ")
        raise
    finally:
        case.over()
    told = "\n  ".join([f"seed {seed}, {case.story}:", *case.said])
    wanted = VIOLATED[case.story]
    for result in judgement.results:
        if result.outcome is RuleOutcome.FAIL:
            assert result.invariant.id in wanted, f"{result.invariant.id} fails: {result.first and result.first.sentence}\n{told}"
        elif result.outcome is RuleOutcome.UNKNOWN:
            assert any(cause in result.reason for cause in case.causes), f"{result.invariant.id} is unknown: {result.reason}\n{told}"
        else:
            assert result.invariant.id not in wanted, f"{result.invariant.id} does not fail\n{told}"
