"""What somebody without a password tries on the ports of a stack's stores. Each returns what succeeded."""

import socket
import struct

import pymysql

from labkit.evidence.kafka_positions import Positions
from labkit.stack import accounts
from labkit.stack.kafka_wire import Broker, string
from labkit.stack.model import Account

ANSWER_S = 10.0
GUESSES = ("", "root", "admin", "password", "labkit", "mysql", "default")
USERS = (*accounts.MYSQL_USERS, "root", "", "mysql", "labkit", "mariadb.sys", "debian-sys-maint")
REDIS_COMMANDS = (
    *("PING", "INFO", "KEYS *", "HGETALL positions:x", "SET k v", "FLUSHALL", "CONFIG GET requirepass", "CONFIG SET dir /tmp"),
    *("EVAL return 0", "SCRIPT FLUSH", "MONITOR", "CLIENT LIST", "REPLICAOF NO ONE", "DEBUG RELOAD", "SAVE", "ACL LIST", "SUBSCRIBE x"),
    *("MODULE LOAD /x", "SHUTDOWN NOSAVE", "HELLO 3 AUTH default default", *(f"AUTH {guess or '-'}" for guess in GUESSES)),
)
NOTHING = struct.pack(">i", 0)
# name, api key, version and body of requests of Kafka's protocol
KAFKA_REQUESTS = (
    ("metadata", 3, 1, struct.pack(">i", -1)),
    ("produce", 0, 3, struct.pack(">hhii", -1, 1, 1000, 0)),
    ("fetch", 1, 4, struct.pack(">iiii", -1, 0, 1, 1) + b"\0" + NOTHING),
    ("list groups", 16, 0, b""),
    ("commit", 8, 2, string("g") + struct.pack(">i", -1) + string("") + struct.pack(">q", -1) + NOTHING),
    ("create topics", 19, 1, NOTHING + struct.pack(">i", 1000) + b"\0"),
    ("delete records", 21, 1, NOTHING + struct.pack(">i", 1000)),
    ("alter configs", 33, 0, NOTHING + b"\0"),
    ("vote in the quorum", 52, 0, b"\0\0\1\0"),
)


def into_mysql(host: str, port: int) -> list[str]:
    """The logins that worked, as user/password."""
    entered = []
    for user in USERS:
        for password in {*GUESSES, user}:
            try:
                pymysql.connect(host=host, port=port, user=user, password=password, connect_timeout=ANSWER_S).close()
            except (pymysql.MySQLError, RuntimeError):  # RuntimeError: the login would need another package, and was not answered
                continue
            entered.append(f"{user}/{password}")
    return entered


def into_redis(host: str, port: int, *commands: str) -> list[str]:
    """The commands that were answered with anything but an error."""
    answered = []
    with socket.create_connection((host, port), ANSWER_S) as connection:
        answers = connection.makefile("rb")
        for command in commands or REDIS_COMMANDS:
            connection.sendall(f"{command}\r\n".encode())
            answer = answers.readline().decode()
            if not answer.startswith("-"):
                answered.append(f"{command}: {answer}")
    return answered


def into_kafka(host: str, port: int) -> list[str]:
    """The requests that were answered, and the passwords that were taken."""
    entered = []
    for name, api, version, body in KAFKA_REQUESTS:
        try:
            with Broker(Account(host, port, "", ""), timeout=ANSWER_S) as broker:
                broker._ask(api, version, body)
                entered.append(name)
        except OSError:
            continue
    for user in ("labkit", "admin", "kafka"):
        for guess in {*GUESSES, user} - {""}:
            try:
                with Positions(Account(host, port, user, guess), timeout=ANSWER_S) as broker:
                    entered.append(f"{user}/{guess}: {broker.topics()}")
            except (OSError, ValueError):
                continue
    return entered
