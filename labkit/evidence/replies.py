"""Copy the order and customer of each command to its replies. A reply names only the command that it answers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MESSAGES = {"outbox": "id", "outbox_changes": "message_id", "records": "message_id"}
"""The tables that hold messages, each with the column of the message's id."""


def _all(columns: str) -> str:
    return "(" + " UNION ALL ".join(f"SELECT {columns.format(id=id)} FROM {table}" for table, id in _MESSAGES.items()) + ")"


_REPLIED = f"SELECT reply_to FROM {_all('reply_to')} WHERE reply_to IS NOT NULL"
_COMMANDS = f"""
CREATE TEMP TABLE commands AS
  SELECT message_id, any_value(order_id) AS order_id, any_value(customer_id) AS customer_id
  FROM {_all("{id} AS message_id, order_id, customer_id")} WHERE message_id IN ({_REPLIED}) GROUP BY message_id
"""


def resolve(connection: "DuckDBPyConnection") -> None:
    """Resolve the replies in all loaded tables. A reply whose command is nowhere in the evidence keeps its own values."""
    if connection.execute(f"{_REPLIED} LIMIT 1").fetchone() is None:
        return
    connection.execute(_COMMANDS)
    for table in _MESSAGES:
        connection.execute(
            f"UPDATE {table} AS reply SET order_id = coalesce(reply.order_id, c.order_id), "
            "customer_id = coalesce(reply.customer_id, c.customer_id) FROM commands c WHERE c.message_id = reply.reply_to"
        )
    connection.execute("DROP TABLE commands")
