"""The evidence tables and views of an observed table, and the queries that compare its rows with its row changes."""

from collections.abc import Sequence

from labkit.system import messaging
from labkit.system.model import Column, Form, ObservedTable

TYPES = {
    Form.NUMBER: "BIGINT",
    Form.MONEY: "DECIMAL(38,2)",
    Form.TEXT: "VARCHAR",
    Form.CODED: "VARCHAR",
    Form.MILLISECONDS: "TIMESTAMP",
    Form.FLAG: "BOOLEAN",
    Form.BYTES: "BLOB",
}


def changes_of(table: ObservedTable) -> str:
    return f"{table.one}_changes"


def commits_of(table: ObservedTable) -> str:
    return f"{table.one}_commits"


def starting(table: ObservedTable) -> str:
    return f"starting_{table.name}"


def ddl(tables: Sequence[ObservedTable]) -> str:
    """Return the DDL of all observed tables in the form of schema.sql, with a comment for each table and column."""
    parts = [part for table in tables for part in (_table(table), _starting(table), _changes(table), _commits(table))]
    return "\n".join([*parts, _all_changes(tables)])


def _create(name: str, meaning: str, columns: Sequence[tuple[str, str, str]]) -> str:
    last = len(columns) - 1
    width = max(len(f"{column} {kind}") for column, kind, _ in columns) + 2
    lines = [f"  {f'{column} {kind}' + (',' if at < last else ''):{width}}-- {text}" for at, (column, kind, text) in enumerate(columns)]
    return f"-- {meaning}\nCREATE TABLE {name} (\n" + "\n".join(lines) + "\n);\n"


def _table(table: ObservedTable) -> str:
    columns = [(column.name, TYPES[column.form], column.meaning) for column in table.columns]
    return _create(table.name, f"{table} as of the moment of the collection.", columns)


def _starting(table: ObservedTable) -> str:
    columns = [(column.name, TYPES[column.form], f"as in {table.name}") for column in table.followed]
    return _create(starting(table), f"Where the row changes of {table} begin, when that is not emptiness.", columns)


def _changes(table: ObservedTable) -> str:
    """Return the DDL of a table's row changes. An insert has no row before; a delete has none after."""
    columns = [
        ("commit_no", "BIGINT", "see transactions"),
        ("change_no", "BIGINT", "order of the changes of all tables, also within one transaction"),
        ("op", "VARCHAR", "insert, update, delete"),
        *((f"before_{column.name}", TYPES[column.form], "before; NULL for an insert") for column in table.followed),
        *((f"after_{column.name}", TYPES[column.form], "after; NULL for a delete") for column in table.followed),
    ]
    return _create(changes_of(table), f"Row changes of {table}.", columns)


def _commits(table: ObservedTable) -> str:
    keys, others = list(table.key), [column.name for column in table.followed if column.name not in table.key]

    def image(side: str) -> str:
        values = ", ".join(f"'{name}': {side}_{name}" for name in others)
        return ", ".join([*(f"{side}_{key} AS {key}" for key in keys), f"{{{values}}} AS image"])

    shown = ", ".join(f"{side}.{name} AS {side}_{name}" for side in ("before", "after") for name in others)
    return f"""-- What each commit made of a row of {table}, as others can see it: one line for a row that is not what it was before.
-- The steps within the transaction do not count. change_no is that of the last change.
CREATE VIEW {commits_of(table)} AS
  WITH images AS (
    SELECT commit_no, change_no, 0 AS side, {image("before")} FROM {changes_of(table)} WHERE op <> 'insert'
    UNION ALL
    SELECT commit_no, change_no, 1, {image("after")} FROM {changes_of(table)} WHERE op <> 'delete'
  ), commits AS (
    SELECT commit_no, max(change_no) AS change_no, {", ".join(keys)},
      CASE WHEN arg_min(side, (change_no, side)) = 0 THEN arg_min(image, (change_no, side)) END AS before,
      CASE WHEN arg_max(side, (change_no, side)) = 1 THEN arg_max(image, (change_no, side)) END AS after
    FROM images GROUP BY commit_no, {", ".join(keys)}
  )
  SELECT commit_no, change_no, CASE WHEN before IS NULL THEN 'insert' WHEN after IS NULL THEN 'delete' ELSE 'update' END AS op,
    {", ".join(keys)}, {shown}
  FROM commits WHERE before IS DISTINCT FROM after;
"""


_OF_MESSAGING = (
    f"""    SELECT commit_no, change_no, schema_name, '{messaging.OUTBOX}', op, message_id,
      CASE WHEN op = 'delete' THEN json_object('id', message_id, 'event', event, 'aggregate_id', aggregate_id) END,
      CASE WHEN op = 'insert' THEN json_object('id', message_id, 'event', event, 'aggregate_id', aggregate_id) END
    FROM outbox_changes""",
    f"""    SELECT commit_no, change_no, schema_name, '{messaging.INBOX}', op, subscriber || ':' || message_id,
      CASE WHEN op = 'delete' THEN json_object('subscriber', subscriber, 'message_id', message_id) END,
      CASE WHEN op = 'insert' THEN json_object('subscriber', subscriber, 'message_id', message_id) END
    FROM inbox_changes""",
)


def _all_changes(tables: Sequence[ObservedTable]) -> str:
    return (
        "-- Row changes of all tables in one sequence; before and after as JSON.\nCREATE VIEW changes AS\n"
        "  SELECT c.*, t.binlog_file, t.position, t.committed FROM (\n"
        + "\n    UNION ALL\n".join([*map(_as_json, tables), *_OF_MESSAGING])
        + "\n  ) c LEFT JOIN transactions t USING (commit_no);\n"
    )


def _as_json(table: ObservedTable) -> str:
    def row(side: str) -> str:
        return ", ".join(f"'{column.name}', {_plain(column, side)}" for column in table.followed)

    key = " || ':' || ".join(f"coalesce(before_{name}, after_{name})" for name in table.key)
    names = f"'{table.schema}' AS schema_name, '{table.table}' AS table_name"
    return f"""    SELECT commit_no, change_no, {names}, op, ({key})::VARCHAR AS row_key,
      CASE WHEN op <> 'insert' THEN json_object({row("before")}) END AS before,
      CASE WHEN op <> 'delete' THEN json_object({row("after")}) END AS after
    FROM {changes_of(table)}"""


def _plain(column: Column, side: str) -> str:
    """Return a column as SQL for the JSON of a change. Amounts become text: JSON numbers lose cents."""
    return f"{side}_{column.name}" + ("::VARCHAR" if column.form is Form.MONEY else "")
