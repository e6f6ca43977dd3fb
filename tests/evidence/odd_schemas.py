"""Seeded histories of orders on a database server whose schema and log have been changed as learners might. They are compared with the
unchanged ones.

A `Case` writes what the services would write, one transaction after another. Between and within the transactions it does unusual things
that do not change the orders.
"""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pymysql

from labkit.stack import sql
from labkit.system.profiles import choreography
from tests.evidence.servers import DatabaseServer

ORDERS, CUSTOMER = "order_db.orders", "customer_db.customer"
HELD, SIDE, AUDIT = "customer_db.customer_credit_reservations", "order_db.side", "customer_db.audit"
HELD_COLUMNS = "(customer_id, credit_reservations_key, amount)"
STORIES = ("right", "overspent", "illegal", "undecided")  # all is well; violates I1; I8; I11

# Changes that a learner may make to a column without breaking the services.
COLUMNS = {
    (ORDERS, "amount"): (
        "DECIMAL(20,4)",
        "DECIMAL(65,30)",
        "DECIMAL(12,2) NOT NULL",
        "DOUBLE",
        "VARCHAR(50)",
        "TEXT",
        "DECIMAL(38,2) UNSIGNED",
    ),
    (ORDERS, "state"): (
        *("VARCHAR(20)", "CHAR(20) CHARACTER SET utf16", "TEXT", "VARBINARY(20)", "TINYBLOB", "VARCHAR(300) CHARACTER SET latin1"),
        "ENUM('PENDING','APPROVED','REJECTED','CANCELLED','EXPIRED') CHARACTER SET utf16",
        *("SET('PENDING','APPROVED','REJECTED','CANCELLED')", "VARCHAR(20) COLLATE utf8mb4_bin NOT NULL", "VARCHAR(20) COMPRESSED"),
    ),
    (ORDERS, "rejection_reason"): ("VARCHAR(30)", "BIGINT UNSIGNED", "BIT(8)", "DECIMAL(3,0)", "DOUBLE", "CHAR(3)", "YEAR", "TIME"),
    (ORDERS, "customer_id"): ("BIGINT UNSIGNED", "DECIMAL(20,0)", "VARCHAR(30)", "INT", "DOUBLE", "MEDIUMINT UNSIGNED"),
    (ORDERS, "version"): ("VARCHAR(9)", "FLOAT", "JSON", "DECIMAL(65,0)"),
    (CUSTOMER, "name"): (
        "TEXT CHARACTER SET latin1",
        "VARCHAR(99) CHARACTER SET utf16",
        "LONGTEXT",
        "VARBINARY(255)",
        "TEXT COMPRESSED",
        "CHAR(99)",
    ),
    (CUSTOMER, "amount"): ("DECIMAL(20,4)", "DOUBLE", "VARCHAR(60)", "DECIMAL(65,30) NOT NULL"),
    (CUSTOMER, "creation_time"): ("DATETIME(6)", "VARCHAR(40)", "DECIMAL(30,0)"),
    (HELD, "amount"): ("DECIMAL(20,4)", "DOUBLE", "VARCHAR(40)", "FLOAT", "DECIMAL(40,10) NOT NULL"),
    ("order_db.message", "payload"): ("MEDIUMTEXT", "JSON", "LONGTEXT CHARACTER SET utf16", "LONGBLOB", "LONGTEXT COMPRESSED"),
    ("customer_db.message", "headers"): ("MEDIUMTEXT CHARACTER SET latin1", "JSON", "VARCHAR(4000)"),
    ("order_db.received_messages", "message_id"): (
        "VARCHAR(200) CHARACTER SET latin1",
        "VARBINARY(200)",
        "VARCHAR(255) COLLATE utf8mb4_bin",
    ),
}
MORE_COLUMNS = (
    *(
        "g INT AS (version + 1) VIRTUAL",
        "g INT AS (version + 1) STORED",
        "v INT DEFAULT 3 INVISIBLE",
        "j JSON",
        "p POINT",
        "b BIT(13) DEFAULT 5",
    ),
    *("t TIMESTAMP(6) NULL DEFAULT CURRENT_TIMESTAMP(6)", "d TIME(3) DEFAULT '10:11:12.131'", "u UUID", "i INET6 DEFAULT '::1'"),
    *("s SET('a','b') DEFAULT 'a,b'", "f FLOAT DEFAULT 1.5", "y YEAR DEFAULT 2026", "e ENUM('é','b') CHARACTER SET latin1 DEFAULT 'é'"),
    *("c VARCHAR(200) COMPRESSED DEFAULT 'x'", "n DECIMAL(65,30) DEFAULT -1.5", "k DATE DEFAULT '0000-00-00'", "z VARCHAR(9) DEFAULT NULL"),
)


@dataclass
class Case:
    """When a verdict is unknown, its reason must contain one of the words in `causes`."""

    seed: int
    server: DatabaseServer
    odd: bool
    said: list[str] = field(default_factory=list)
    causes: set[str] = field(default_factory=set)
    numbers: int = 0
    branches: list[str] = field(default_factory=list)  # of XA transactions

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.ways, self.oddities = self.random.sample(list(WAYS), 2), self.random.sample(BETWEEN, 4)
        self.transactional = True  # whether all tables that verdicts depend on are transactional
        self.story = STORIES[self.seed % 2 * self.random.randrange(len(STORIES))]  # every other seed is right

    def play(self) -> None:
        with sql.connected(self.server.admin, 30) as self.cursor:
            self.run("SET SESSION lock_wait_timeout = 2")
            self.run(f"CREATE TABLE {AUDIT} (a BIGINT) ENGINE={self.random.choice(('MyISAM', 'InnoDB'))}")
            self.run(f"CREATE TABLE {SIDE} (id BIGINT PRIMARY KEY, note TEXT)", f"INSERT INTO {SIDE} VALUES (0, 'x')")
            for name, limit in (("Ada", 15), ("Žofie ☂", 1000), ("Bob", 100)):
                self.between()
                self.customer(name, limit)
            for number in range(6):
                self.between()
                self.order(1 + number % 3, "12.34" if number % 3 == 0 else f"{number + 1}.10")
            self.between()
            if self.story == "overspent":
                self.transaction([f"INSERT INTO {HELD} {HELD_COLUMNS} VALUES (1, 900, 14.00)"])
                self.transaction([f"DELETE FROM {HELD} WHERE credit_reservations_key = 900"])
            elif self.story == "illegal":
                self.transaction([f"UPDATE {ORDERS} SET state = 'CANCELLED' WHERE id = 4"])  # the order was rejected
                self.transaction([f"UPDATE {ORDERS} SET state = 'REJECTED' WHERE id = 4"])
            elif self.story == "undecided":
                self.transaction([f"UPDATE {ORDERS} SET state = 'PENDING' WHERE id = 2"])
                self.transaction([f"UPDATE {ORDERS} SET state = 'APPROVED' WHERE id = 2"])
            self.between()
            self.customer("Last", 1)
            if self.odd and self.transactional and self.random.random() < 0.3:
                self.leave_prepared()

    def over(self) -> None:
        """Remove everything that would affect the next case."""
        for name in self.branches:
            with suppress(OSError):
                self.server.run(f"XA ROLLBACK {name}")

    # the actions of the services

    def customer(self, name: str, limit: int) -> None:
        self.numbers += 1
        row = f"INSERT INTO {CUSTOMER} (id, name, amount, version) VALUES ({self.numbers}, '{name}', {limit}.00, 0)"
        self.transaction([row, self.message("customer_db", "CustomerCreated", self.numbers, {"name": name})[1]])

    def order(self, customer: int, total: str) -> None:
        number = self.made = getattr(self, "made", 0) + 1
        details = {"orderDetails": {"customerId": customer, "orderTotal": {"amount": float(total)}}}
        created, row = self.message("order_db", "OrderCreated", number, details)
        columns = "id, customer_id, amount, state, version"
        self.transaction([f"INSERT INTO {ORDERS} ({columns}) VALUES ({number}, {customer}, {total}, 'PENDING', 0)", row])
        self.between()
        granted = not (customer == 1 and number > 1)
        answer, row = self.message(
            "customer_db", "CustomerCreditReserved" if granted else "CustomerCreditReservationFailed", customer, {"orderId": number}
        )
        held = [f"INSERT INTO {HELD} {HELD_COLUMNS} VALUES ({customer}, {number}, {total})"] if granted else []
        self.transaction([self.taken("customer_db", "OrderEventConsumer", created), *held, row])
        self.between()
        state = "state = 'APPROVED'" if granted else "state = 'REJECTED', rejection_reason = 0"
        _, row = self.message("order_db", "OrderApproved" if granted else "OrderRejected", number, {})
        change = f"UPDATE {ORDERS} SET {state}, version = 1 WHERE id = {number}"
        self.transaction([self.taken("order_db", "customerServiceEvents", answer), change, row])

    def message(self, schema: str, event: str, aggregate: int, payload: dict[str, Any]) -> tuple[str, str]:
        self.sent = getattr(self, "sent", 0) + 1
        topic = choreography.ORDER.name if schema == "order_db" else choreography.CUSTOMER.name
        message_id = f"{self.sent:016x}-0242ac1200050000"
        headers = {"ID": message_id, "PARTITION_ID": str(aggregate), "DESTINATION": topic, "DATE": "Tue, 24 Nov 2026 14:49:12 GMT"}
        headers |= {"event-type": f"io.x.{event}Event", "event-aggregate-type": topic, "event-aggregate-id": str(aggregate)}
        columns = "id, destination, headers, payload, published, creation_time"
        values = f"'{message_id}', '{topic}', '{json.dumps(headers)}', '{json.dumps(payload)}', 1, 1795531752233"
        return message_id, f"INSERT INTO {schema}.message ({columns}) VALUES ({values})"

    def taken(self, schema: str, subscriber: str, message_id: str) -> str:
        return f"INSERT INTO {schema}.received_messages (consumer_id, message_id, creation_time) VALUES ('{subscriber}', '{message_id}', 1)"

    # variations of these actions, and unrelated ones

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.said.append(statement)
            self.cursor.execute(statement)

    def attempt(self, *statements: str) -> bool:
        """Run statements that the server may refuse. Returns False when nothing has happened."""
        for statement in statements:
            try:
                self.run(statement)
            except pymysql.MySQLError as error:
                self.said[-1] += f"  -- refused: {error.args[-1]}"
                return False
        return True

    def fits(self, table: str, how: str) -> bool:
        """Whether the altered table still accepts what the services write; tried on a copy."""
        copy = f"{table}_copy"
        known = self.attempt(f"CREATE TABLE {copy} LIKE {table}", f"ALTER TABLE {copy} {how}")
        taken = known and self.attempt(*(statement.replace(table, copy) for statement in self.written(table)))
        self.run(f"DROP TABLE IF EXISTS {copy}")
        return taken

    def written(self, table: str) -> list[str]:
        if table == ORDERS:
            states = [f"UPDATE {ORDERS} SET state = '{state}', version = 1" for state in ("APPROVED", "REJECTED", "CANCELLED")]
            reason = f"UPDATE {ORDERS} SET rejection_reason = 0"
            return [f"INSERT INTO {ORDERS} (id, customer_id, amount, state, version) VALUES (7, 1, 12.34, 'PENDING', 0)", *states, reason]
        if table == CUSTOMER:
            return [f"INSERT INTO {CUSTOMER} (id, name, amount, version) VALUES (7, 'Žofie ☂', 1000.00, 0)"]
        if table == HELD:
            return [f"INSERT INTO {HELD} {HELD_COLUMNS} VALUES (1, 7, 12.34)"]
        return []  # the name consists of letters and digits that every type accepts

    def transaction(self, statements: list[str]) -> None:
        """One committed transaction, sometimes in an unusual way."""
        way = self.random.choice(("plain", "plain", *self.ways)) if self.odd and self.transactional else "plain"
        WAYS.get(way, _plainly)(self, statements)

    def branch(self, name: str) -> str:
        self.branches.append(name)
        return name

    def leave_prepared(self) -> None:
        """Runs last, because its locks would block all others."""
        name = self.branch(f"'left{len(self.said)}'")
        insert = f"INSERT INTO {ORDERS} (id, customer_id, amount, state) VALUES ({10**6}, 1, 1.00, 'APPROVED')"
        self.attempt(f"XA START {name}", insert, f"XA END {name}", f"XA PREPARE {name}")

    def between(self) -> None:
        if self.odd and self.random.random() < 0.6:
            self.random.choice(self.oddities)(self)


def _plainly(case: Case, statements: list[str]) -> None:
    case.run("BEGIN", *statements, "COMMIT")


def _lie(case: Case) -> str:
    """A change that would be a violation if it were committed."""
    return case.random.choice(
        (
            f"UPDATE {ORDERS} SET state = IF(state = 'CANCELLED', 'PENDING', 'CANCELLED')",
            f"INSERT INTO {ORDERS} (id, customer_id, amount, state) VALUES ({case.random.randrange(1000, 10**6)}, 1, 1.00, 'APPROVED')",
            f"DELETE FROM {HELD}",
            f"UPDATE {HELD} SET amount = amount + 900",
            f"DELETE FROM {ORDERS}",
        )
    )


def _savepoint(case: Case, statements: list[str]) -> None:
    beside = case.random.choice(([], [f"INSERT INTO {AUDIT} VALUES (1)"], ["CREATE TEMPORARY TABLE IF NOT EXISTS order_db.tmp (a INT)"]))
    cut = case.random.randrange(len(statements) + 1)
    case.run("BEGIN", *statements[:cut], "SAVEPOINT `a b`", _lie(case), *beside, "SAVEPOINT c", _lie(case), "ROLLBACK TO SAVEPOINT `a b`")
    case.run(*statements[cut:], "SAVEPOINT C", _lie(case), *beside, "ROLLBACK WORK TO c", "RELEASE SAVEPOINT C", "COMMIT")


def _xa(case: Case, statements: list[str]) -> None:
    name = case.branch(f"'{case.random.choice(('x', 'é', 'a b'))}{len(case.said)}','b',{case.random.randrange(9)}")
    end = case.random.choice(([f"XA COMMIT {name} ONE PHASE"], [f"XA PREPARE {name}", f"XA COMMIT {name}"]))
    case.run(f"XA START {name}", *statements, f"XA END {name}", *end)


def _xa_across(case: Case, statements: list[str]) -> None:
    """Prepared here, and committed by another connection after other transactions and a new log file."""
    name = case.branch(f"'x{len(case.said)}'")
    with sql.connected(case.server.admin, 30) as other:
        for statement in (f"XA START {name}", *statements, f"XA END {name}", f"XA PREPARE {name}"):
            case.said.append(f"/* other */ {statement}")
            other.execute(statement)
        case.run(f"UPDATE {SIDE} SET note = 'y'")
        if case.random.random() < 0.5:
            case.run("FLUSH BINARY LOGS")
        other.execute(f"XA COMMIT {name}")


def _with_audit(case: Case, statements: list[str]) -> None:
    case.run("BEGIN", *statements, f"INSERT INTO {AUDIT} VALUES (2)", "COMMIT")


def _huge(case: Case, statements: list[str]) -> None:
    rows = ", ".join(f"({case.random.randrange(10**9)}, REPEAT('x', 400))" for _ in range(3000))
    case.run("BEGIN", f"INSERT IGNORE INTO {SIDE} VALUES {rows}", *statements, f"DELETE FROM {SIDE} WHERE id > 0", "COMMIT")


def _minimal(case: Case, statements: list[str]) -> None:
    case.causes |= {"binlog_row_image"}
    case.run("SET SESSION binlog_row_image = MINIMAL", "BEGIN", *statements, "COMMIT", "SET SESSION binlog_row_image = FULL")


WAYS: dict[str, Callable[[Case, list[str]], None]] = {
    **{"savepoint": _savepoint, "xa": _xa, "xa across": _xa_across, "audit": _with_audit, "huge": _huge},
}


def _change_column(case: Case) -> None:
    (table, column), types = case.random.choice(list(COLUMNS.items()))
    name = case.random.choice((column, column, column.capitalize(), column.upper()))
    place, kind = case.random.choice(("", "", " FIRST")), case.random.choice(types)
    how = f"CHANGE {column} {name} {kind}{place}"
    if case.fits(table, how) and case.attempt(f"ALTER TABLE {table} {how}"):
        case.causes |= {column, table}


def _add_column(case: Case) -> None:
    table = case.random.choice((ORDERS, CUSTOMER, "order_db.message"))
    version = "published" if table.endswith("message") else "version"
    place = case.random.choice(("", " FIRST"))
    name = f"m{len(case.said)}_"
    case.attempt(f"ALTER TABLE {table} ADD {name}{case.random.choice(MORE_COLUMNS).replace('version', version)}{place}")
    case.causes |= {table}


def _drop_columns(case: Case) -> None:
    with suppress(StopIteration):
        made = next(s for s in case.said if " ADD m" in s and "refused" not in s)
        case.attempt(f"ALTER TABLE {made.split()[2]} DROP IF EXISTS {made.partition(' ADD ')[2].split()[0]}")


def _alter_table(case: Case) -> None:
    table = case.random.choice((ORDERS, CUSTOMER, HELD, "order_db.received_messages"))
    how = case.random.choice(
        (
            *("ROW_FORMAT=COMPRESSED", "CONVERT TO CHARACTER SET utf16", "CONVERT TO CHARACTER SET latin1", "ENGINE=InnoDB", "FORCE"),
            *("ADD SYSTEM VERSIONING", "DROP SYSTEM VERSIONING", "PARTITION BY KEY() PARTITIONS 3", "REMOVE PARTITIONING"),
        )
    )
    if table == CUSTOMER and "VERSIONING" in how:
        return  # no foreign key may refer to it
    if "CONVERT" in how and not case.fits(table, how):
        return
    case.attempt(f"ALTER TABLE {table} {how}")
    case.causes |= {table}


def _other_engine(case: Case) -> None:
    table = case.random.choice((ORDERS, HELD, "order_db.message"))
    if case.attempt(f"ALTER TABLE {table} ENGINE=MyISAM"):
        case.causes |= {table, "MyISAM"}
        case.transactional = case.random.random() < 0.5 and case.attempt(f"ALTER TABLE {table} ENGINE=InnoDB")


def _rolled_back(case: Case) -> None:
    if not case.transactional:
        return
    beside = case.random.choice(([], [f"INSERT INTO {AUDIT} VALUES (3)"], ["CREATE TEMPORARY TABLE IF NOT EXISTS order_db.tmp2 (a INT)"]))
    case.run("BEGIN", _lie(case), *beside, _lie(case), "ROLLBACK")


def _xa_rolled_back(case: Case) -> None:
    if not case.transactional:
        return
    name = case.branch(f"'r{len(case.said)}'")
    case.run(f"XA START {name}", _lie(case), f"XA END {name}", f"XA PREPARE {name}")
    case.run(f"XA ROLLBACK {name}")


def _cascade(case: Case) -> None:
    """A reservation disappears and returns; only its return is in the log."""
    if case.cursor.execute(f"SELECT customer_id, credit_reservations_key, amount FROM {HELD}"):
        customer, order, amount = case.cursor.fetchone()
        case.causes |= {HELD}
        key = "FOREIGN KEY (credit_reservations_key) REFERENCES customer_db.parent (id) ON DELETE CASCADE"
        case.attempt(
            "CREATE TABLE customer_db.parent (id BIGINT PRIMARY KEY)",
            f"INSERT INTO customer_db.parent SELECT credit_reservations_key FROM {HELD}",
            f"ALTER TABLE {HELD} ADD CONSTRAINT kept {key}",
            f"DELETE FROM customer_db.parent WHERE id = {order}",
            f"ALTER TABLE {HELD} DROP FOREIGN KEY kept",
        )
        case.attempt("DROP TABLE customer_db.parent")
        case.run(f"INSERT IGNORE INTO {HELD} {HELD_COLUMNS} VALUES ({customer}, {order}, {amount})")


def _unlogged(case: Case) -> None:
    case.causes |= {ORDERS}
    state = "(SELECT 1)"
    case.run("SET SESSION sql_log_bin = 0", f"UPDATE {ORDERS} SET version = {state}", "SET SESSION sql_log_bin = 1")


def _as_statement(case: Case) -> None:
    case.causes |= {"binlog_format"}
    if case.attempt("SET SESSION binlog_format = STATEMENT"):  # not possible while there are temporary tables
        case.run(f"UPDATE {SIDE} SET note = 'z'", "SET SESSION binlog_format = ROW")


def _trigger(case: Case) -> None:
    name = f"order_db.t{len(case.said)}"
    case.attempt(f"CREATE TRIGGER {name} AFTER UPDATE ON {ORDERS} FOR EACH ROW INSERT INTO {AUDIT} VALUES (NEW.id)")


def _rename(case: Case) -> None:
    table = case.random.choice((ORDERS, HELD))
    case.attempt(f"RENAME TABLE {table} TO {table}_away")
    case.attempt(f"RENAME TABLE {table}_away TO {table}")
    case.causes |= {table}


BETWEEN: tuple[Callable[[Case], None], ...] = (  # repeated entries are chosen more often
    *(_change_column, _change_column, _change_column, _change_column, _add_column, _add_column, _drop_columns, _alter_table, _alter_table),
    _other_engine,
    *(_rolled_back, _xa_rolled_back, _cascade, _unlogged, _as_statement, _trigger, _rename),
    lambda case: case.run("FLUSH BINARY LOGS"),
    lambda case: case.run(*[f"UPDATE {SIDE} SET note = 'h{n}'" for n in range(20)]),
)
