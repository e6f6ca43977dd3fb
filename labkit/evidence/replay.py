"""Check that the row changes are complete.

They are if two conditions hold: applied to the starting state, they give the tables that were read; and each change starts where the
previous change of its row ended. If they are incomplete, nothing can be judged over time. The binlog lacks the effects of a foreign key's
cascade, value changes by ALTER TABLE, and everything written with sql_log_bin = 0.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.evidence import table_schema
from labkit.system import messaging
from labkit.system.model import ObservedTable, Profile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# A step is a row's starting state, a side of a change, or the row as it was read. Each step records what it found under the row's key, what
# it left there, or both. What a step found must equal what the previous step left; the first step must find nothing.
_STEPS = """
WITH steps AS (
  SELECT 0 AS change_no, 0 AS part, {key} AS row_key, NULL AS found, {now} AS made FROM {starting}
  UNION ALL BY NAME
  SELECT change_no, 1 AS part, {before_key} AS row_key, {before} AS found, NULL AS made FROM {changes} WHERE op <> 'insert'
  UNION ALL BY NAME
  SELECT change_no, 2 AS part, {after_key} AS row_key, NULL AS found, {after} AS made FROM {changes} WHERE op <> 'delete'
  UNION ALL BY NAME
  SELECT 9223372036854775807 AS change_no, 3 AS part, {key} AS row_key, {now} AS found, NULL AS made FROM {table}
), checked AS (
  SELECT *, lag(made) OVER w AS led_to, lead(row_key) OVER w IS NULL AS is_last
  FROM steps WINDOW w AS (PARTITION BY row_key ORDER BY change_no, part)
)
SELECT row_key::VARCHAR, part, led_to::VARCHAR, found::VARCHAR, made::VARCHAR FROM checked
WHERE found IS DISTINCT FROM led_to OR (is_last AND made IS NOT NULL) ORDER BY change_no, part, row_key LIMIT 1
"""
# Outbox and inbox rows: those that were read, against those that were inserted and not deleted.
_ROWS = """
WITH logged AS (SELECT schema_name, {key} AS id FROM {changes} GROUP BY ALL HAVING arg_max(op, change_no) = 'insert')
SELECT coalesce(f.schema_name, l.schema_name), coalesce(f.id, l.id)::VARCHAR, f.id IS NOT NULL
FROM (SELECT DISTINCT schema_name, {id} AS id FROM {table}) f FULL JOIN logged l ON f.schema_name = l.schema_name AND f.id = l.id
WHERE f.id IS NULL OR l.id IS NULL ORDER BY ALL LIMIT 1
"""
_MESSAGES = (
    {"table": "outbox", "name": messaging.OUTBOX, "changes": "outbox_changes", "key": "message_id", "id": "id"},
    {
        **{"table": "inbox", "name": messaging.INBOX, "changes": "inbox_changes"},
        **{"key": "row(subscriber, message_id)", "id": "row(subscriber, message_id)"},
    },
)


def _steps(table: ObservedTable) -> str:
    """Return the query for a table's first step that does not follow from the previous one."""
    others = [column.name for column in table.followed if column.name not in table.key]

    def row(names: Sequence[str], side: str = "") -> str:
        return f"row({', '.join(side + name for name in names)})"

    def key(side: str = "") -> str:
        return f"{side}{table.key[0]}" if len(table.key) == 1 else row(table.key, side)

    return _STEPS.format(
        table=table.name,
        starting=table_schema.starting(table),
        changes=table_schema.changes_of(table),
        **{"key": key(), "before_key": key("before_"), "after_key": key("after_")},
        **{"now": row(others), "before": row(others, "before_"), "after": row(others, "after_")},
    )


def difference(connection: "DuckDBPyConnection", profile: Profile) -> str | None:
    """Return why the changes cannot be complete, as a sentence without a full stop; None if they lead to the tables."""
    for observed_table in profile.tables:
        row = connection.execute(_steps(observed_table)).fetchone()
        if row is not None:
            key, part, led_to, found, made = row
            name, led_to = str(observed_table), led_to or "no row"
            if part == 3:
                reason = f"{name} has {found} for {key}, where the changes in the binlog lead to {led_to}"
            elif found is None and led_to == "no row":  # the row that the changes left is not in the table
                reason = f"{name} has no row for {key}, where the changes in the binlog lead to {made}"
            else:
                reason = f"a change of {name} found {found or 'no row'} for {key}, where the changes before it lead to {led_to}"
            return reason + _altered(connection, name)
    for table in _MESSAGES:
        row = connection.execute(_ROWS.format(**table)).fetchone()
        if row is not None:
            schema, key, is_there = row
            there, led_to = ("a row", "none") if is_there else ("no row", "one")
            name = f"{schema}.{table['name']}"
            return f"{name} has {there} for {key}, where the changes in the binlog lead to {led_to}" + _altered(connection, name)
    return None


def _altered(connection: "DuckDBPyConnection", name: str) -> str:
    """Return a clause that names a DDL statement that may have changed rows outside the log; empty if there is none."""
    found = connection.execute(
        "SELECT statement FROM binlog_statements WHERE kind = 'ddl' AND statement ILIKE '%' || ? || '%'"
        " AND regexp_matches(statement, '^\\s*(ALTER|RENAME|DROP|CREATE TABLE)', 'i') ORDER BY commit_no DESC LIMIT 1",
        [name.partition(".")[2]],
    ).fetchone()
    return f"; {str(found[0])[:100]!r} came in between" if found else ""
