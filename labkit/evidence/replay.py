"""Starting state + row changes = the tables that were read: else the changes are not all of them, and nothing over time can be judged."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The last image of each row, compared with the row that was read; both ways.
_LAST = """
WITH images AS (
  SELECT change_no, {before_key} AS row_key, NULL AS image FROM {changes} WHERE op <> 'insert'
  UNION ALL BY NAME SELECT change_no + 0.5 AS change_no, {after_key} AS row_key, {after} AS image FROM {changes} WHERE op <> 'delete'
  UNION ALL BY NAME SELECT 0 AS change_no, {key} AS row_key, {now} AS image FROM starting_{table}
), last AS (SELECT row_key, arg_max(struct_pack(image := image), change_no).image AS image FROM images GROUP BY row_key),
replayed AS (SELECT row_key, image FROM last WHERE image IS NOT NULL),
found AS (SELECT {key} AS row_key, {now} AS image FROM {table})
SELECT coalesce(f.row_key, r.row_key)::VARCHAR, r.image::VARCHAR, f.image::VARCHAR
FROM found f FULL JOIN replayed r ON f.row_key = r.row_key WHERE f.image IS DISTINCT FROM r.image ORDER BY 1 LIMIT 1
"""
_TABLES = (
    {
        "table": "orders",
        "changes": "order_changes",
        "key": "id",
        "before_key": "order_id",
        "after_key": "after_id",
        "now": "row(customer_id, total, state, rejection_reason)",
        "after": "row(after_customer_id, after_total, after_state, after_reason)",
    },
    {
        "table": "customers",
        "changes": "customer_changes",
        "key": "id",
        "before_key": "customer_id",
        "after_key": "after_id",
        "now": "row(name, credit_limit)",
        "after": "row(after_name, after_limit)",
    },
    {
        "table": "reservations",
        "changes": "reservation_changes",
        "key": "row(customer_id, order_id)",
        "before_key": "row(before_customer_id, before_order_id)",
        "after_key": "row(after_customer_id, after_order_id)",
        "now": "row(amount)",
        "after": "row(after_amount)",
    },
)
_NAMES = {"orders": "order_db.orders", "customers": "customer_db.customer", "reservations": "customer_db.customer_credit_reservations"}


def difference(connection: "DuckDBPyConnection") -> str | None:
    """Why the changes cannot be all, as a sentence without its full stop; None when they lead to the tables."""
    for table in _TABLES:
        row = connection.execute(_LAST.format(**table)).fetchone()
        if row is not None:
            key, replayed, found = row
            name = _NAMES[table["table"]]
            return f"{name} has {found or 'no row'} for {key}, where the changes in the binlog lead to {replayed or 'no row'}"
    return None
