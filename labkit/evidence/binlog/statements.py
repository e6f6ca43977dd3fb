"""Statements in the binlog, as texts: what a statement does, and the names in it."""

import re
from collections.abc import Collection

KINDS = {"TRUNCATE": "truncate", **dict.fromkeys(("INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"), "dml")}
"""The kind of a statement by its first word. Any other statement outside a transaction is `ddl`."""
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*\n|#[^\n]*\n", re.DOTALL)
_TO_SAVEPOINT = re.compile(r"^\s*ROLLBACK\b.*?\bTO\b", re.IGNORECASE | re.DOTALL)
_ENGINE = re.compile(r"\bENGINE\s*=?\s*[`'\"]?(\w+)", re.IGNORECASE)


def first_word(statement: str) -> str:
    """Return the first word after any comments, in capitals."""
    return _COMMENT.sub(" ", statement).split(None, 1)[0].upper().rstrip(";") if statement else ""


def savepoint_name(statement: str) -> str:
    """Return the statement's last word, without quotes and in lower case."""
    return statement.rstrip("; \n").rpartition("`")[0].rpartition("`")[2].lower() or statement.split()[-1].rstrip(";").lower()


def rolls_back_to_savepoint(statement: str) -> bool:
    return _TO_SAVEPOINT.search(statement) is not None


def xa_parts(statement: str) -> tuple[str, str]:
    """Return the verb of an XA statement and the transaction's id, as the server writes them."""
    _, verb, *branch = _COMMENT.sub(" ", statement).rstrip("; \n").split(None, 2)
    return verb.upper(), "".join("".join(branch).upper().split())


def lost_changes(kind: str, statement: str, tables: Collection[str]) -> str | None:
    """Return why changes are missing from the binlog because of this statement: a sentence without a full stop; None if none are.

    `tables` are the names of the tables whose changes are read.
    """
    if kind == "truncate":
        return f"a table was emptied by {statement[:100]!r} after the mark"
    if kind == "dml":
        return f"a change was logged as a statement ({statement[:60]!r}), not as rows (binlog_format is not ROW)"
    engine = _ENGINE.search(statement)
    if engine and engine[1].upper() != "INNODB" and not set(tables).isdisjoint(re.findall(r"\w+", statement)):
        return f"a table was given to {engine[1]}, which knows no transactions, by {statement[:100]!r} after the mark"
    return None
