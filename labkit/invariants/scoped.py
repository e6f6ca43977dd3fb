"""Narrows an evidence database to what is judged; see views.sql."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FOLDER = Path(__file__).parent
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
# What others keep in topics of their own is no concern of the application's.
_OWN_TOPICS = """
CREATE TEMP MACRO own_topic(a_topic) AS a_topic IN
  (SELECT topic FROM evidence.main.channels UNION SELECT subscriber || '.dead-letter' FROM evidence.main.subscriptions)
"""


@contextmanager
def narrowed(connection: "DuckDBPyConnection") -> Iterator[None]:
    """While it lasts, temporary views stand before the tables of the evidence, which itself is not changed. Not to be nested."""
    (scoped,) = _one(connection, "SELECT count(*) FROM scope")
    (database,) = _one(connection, "SELECT current_database()")
    try:
        for text in (_OWN_TOPICS, _OWN_ORDERS if scoped else _EVERYTHING, _text("views.sql")):
            connection.execute(text.replace("evidence.main.", f'"{database}".main.'))
        yield
    finally:
        for (view,) in connection.execute("SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal").fetchall():
            connection.execute(f'DROP VIEW temp.main."{view}"')
        connection.execute(
            "DROP MACRO IF EXISTS temp.main.own_topic; DROP MACRO IF EXISTS temp.main.own_order;"
            " DROP MACRO IF EXISTS temp.main.own_customer; DROP TABLE IF EXISTS temp.main.own_orders"
        )


def queries(file: str) -> tuple[str, str]:
    """The two queries of an invariant: its violations, and how much there was to judge."""
    violations, judged = _text(file).split(";\n\n")
    return violations, judged


@cache
def _text(file: str) -> str:
    return (_FOLDER / file).read_text(encoding="utf-8")


def _one(connection: "DuckDBPyConnection", query: str) -> tuple[int | str, ...]:
    row: tuple[int | str, ...] | None = connection.execute(query).fetchone()
    assert row is not None
    return row
