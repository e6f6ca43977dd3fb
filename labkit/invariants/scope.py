"""Narrow an evidence database to the scope that is judged; see views.sql."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_VIEWS = Path(__file__).with_name("views.sql")
_OWN_ORDERS = """
CREATE TEMP TABLE own_orders AS
  SELECT id AS order_id FROM evidence.main.orders WHERE customer_id IN (FROM evidence.main.scope)
  UNION SELECT coalesce(before_id, after_id) FROM evidence.main.order_changes
    WHERE before_customer_id IN (FROM evidence.main.scope) OR after_customer_id IN (FROM evidence.main.scope)
  UNION SELECT order_id FROM evidence.main.requests WHERE operation = 'create_order' AND order_id IS NOT NULL;
CREATE TEMP MACRO own_order(an_id) AS an_id IN (FROM own_orders);
CREATE TEMP MACRO own_customer(an_id) AS an_id IN (FROM evidence.main.scope)
"""
_EVERYTHING = """
CREATE TEMP MACRO own_order(an_id) AS true;
CREATE TEMP MACRO own_customer(an_id) AS true
"""
# Topics of other applications on the same broker are ignored.
_OWN_TOPICS = """
CREATE TEMP MACRO own_topic(a_topic) AS a_topic IN
  (SELECT topic FROM evidence.main.channels UNION SELECT dead_letters FROM evidence.main.subscriptions)
"""


@contextmanager
def narrowed(connection: "DuckDBPyConnection") -> Iterator[None]:
    """Hide the tables of the evidence behind temporary views of the same names, for the duration of the context.

    The evidence itself does not change. The contexts cannot be nested.
    """
    (scoped,) = _one(connection, "SELECT count(*) FROM scope")
    database = everything(connection)
    try:
        for text in (_OWN_TOPICS, _OWN_ORDERS if scoped else _EVERYTHING, _VIEWS.read_text(encoding="utf-8")):
            connection.execute(text.replace("evidence.main", database))
        yield
    finally:
        for (view,) in connection.execute("SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal").fetchall():
            connection.execute(f'DROP VIEW temp.main."{view}"')
        connection.execute(
            "DROP MACRO IF EXISTS temp.main.own_topic; DROP MACRO IF EXISTS temp.main.own_order;"
            " DROP MACRO IF EXISTS temp.main.own_customer; DROP TABLE IF EXISTS temp.main.own_orders"
        )


def everything(connection: "DuckDBPyConnection") -> str:
    """Return the schema in which the tables of the evidence are whole, also while they are narrowed."""
    (database,) = _one(connection, "SELECT current_database()")
    return f'"{database}".main'


def _one(connection: "DuckDBPyConnection", query: str) -> tuple[int | str, ...]:
    row: tuple[int | str, ...] | None = connection.execute(query).fetchone()
    assert row is not None
    return row
