"""Starting state + row changes = the tables that were read, and each change begins where the one before it ended: else the changes are not
all of them, and nothing over time can be judged. The log lacks what a foreign key's cascade did, what ALTER TABLE made of values, and what
was written with sql_log_bin = 0."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Each change says what it found and what it left under its row's key; so does the starting state, and the tables as they were read say what
# they found. What a step found must be what the step before it under that key left: nothing, for the first.
_STEPS = """
WITH steps AS (
  SELECT 0 AS change_no, 0 AS part, {key} AS row_key, NULL AS found, {now} AS made FROM starting_{table}
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
_TABLES = (
    {
        "table": "orders",
        "changes": "order_changes",
        "key": "id",
        "before_key": "order_id",
        "after_key": "after_id",
        "now": "row(customer_id, total, state, rejection_reason)",
        "before": "row(before_customer_id, before_total, before_state, before_reason)",
        "after": "row(after_customer_id, after_total, after_state, after_reason)",
    },
    {
        "table": "customers",
        "changes": "customer_changes",
        "key": "id",
        "before_key": "customer_id",
        "after_key": "after_id",
        "now": "row(name, credit_limit)",
        "before": "row(before_name, before_limit)",
        "after": "row(after_name, after_limit)",
    },
    {
        "table": "reservations",
        "changes": "reservation_changes",
        "key": "row(customer_id, order_id)",
        "before_key": "row(before_customer_id, before_order_id)",
        "after_key": "row(after_customer_id, after_order_id)",
        "now": "row(amount)",
        "before": "row(before_amount)",
        "after": "row(after_amount)",
    },
)
_NAMES = {"orders": "order_db.orders", "customers": "customer_db.customer", "reservations": "customer_db.customer_credit_reservations"}
# Outbox and inbox rows: those that are there, and those that came and did not go.
_ROWS = """
WITH logged AS (SELECT schema_name, {key} AS id FROM {changes} GROUP BY ALL HAVING arg_max(op, change_no) = 'insert')
SELECT coalesce(f.schema_name, l.schema_name), coalesce(f.id, l.id)::VARCHAR, f.id IS NOT NULL
FROM (SELECT DISTINCT schema_name, {id} AS id FROM {table}) f FULL JOIN logged l ON f.schema_name = l.schema_name AND f.id = l.id
WHERE f.id IS NULL OR l.id IS NULL ORDER BY ALL LIMIT 1
"""
_MESSAGES = (
    {"table": "outbox", "name": "message", "changes": "outbox_changes", "key": "message_id", "id": "id"},
    {
        **{"table": "inbox", "name": "received_messages", "changes": "inbox_changes"},
        **{"key": "row(subscriber, message_id)", "id": "row(subscriber, message_id)"},
    },
)


def difference(connection: "DuckDBPyConnection") -> str | None:
    """Why the changes cannot be all, as a sentence without its full stop; None when they lead to the tables."""
    for table in _TABLES:
        row = connection.execute(_STEPS.format(**table)).fetchone()
        if row is not None:
            key, part, led_to, found, made = row
            name, led_to = _NAMES[table["table"]], led_to or "no row"
            if part == 3:
                reason = f"{name} has {found} for {key}, where the changes in the binlog lead to {led_to}"
            elif found is None and led_to == "no row":  # what is last there is not in the table
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
    """What may have changed rows beside the log."""
    found = connection.execute(
        "SELECT statement FROM binlog_statements WHERE kind = 'ddl' AND statement ILIKE '%' || ? || '%'"
        " AND regexp_matches(statement, '^\\s*(ALTER|RENAME|DROP|CREATE TABLE)', 'i') ORDER BY commit_no DESC LIMIT 1",
        [name.partition(".")[2]],
    ).fetchone()
    return f"; {str(found[0])[:100]!r} came in between" if found else ""
