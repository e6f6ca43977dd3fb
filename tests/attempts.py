"""Attempts to use a stack's stores without a password. Each function returns what succeeded."""

import itertools
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pymysql

from labkit.account import Account
from labkit.brokers.kafka.connection import KafkaConnection
from labkit.brokers.kafka.wire import string
from labkit.stack import accounts, sql
from labkit.system import find

ANSWER_S = 10.0
SIDE_BY_SIDE = 24  # a broker delays each refused client for half a second
GUESSES = ("", "root", "admin", "password", "labkit", "mysql", "default")
USERS = (*accounts.mysql_users(find.default()), "root", "", "mysql", "labkit", "mariadb.sys", "debian-sys-maint")
REDIS_COMMANDS = (
    *("PING", "INFO", "KEYS *", "HGETALL positions:x", "SET k v", "FLUSHALL", "CONFIG GET requirepass", "CONFIG SET dir /tmp"),
    *("EVAL return 0", "SCRIPT FLUSH", "MONITOR", "CLIENT LIST", "REPLICAOF NO ONE", "DEBUG RELOAD", "SAVE", "ACL LIST", "SUBSCRIBE x"),
    *("MODULE LOAD /x", "SHUTDOWN NOSAVE", "HELLO 3 AUTH default default", *(f"AUTH {guess or '-'}" for guess in GUESSES)),
)
NOTHING = struct.pack(">i", 0)
# Name, API key, version and body of requests in Kafka's protocol.
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
    """Returns the logins that worked, as user/password."""

    def enter(login: tuple[str, str]) -> bool:
        user, password = login
        try:
            sql.connect(host=host, port=port, user=user, password=password, connect_timeout=ANSWER_S).close()
        except (pymysql.MySQLError, RuntimeError):  # RuntimeError: the login needs another package, and was not answered
            return False
        return True

    logins = [(user, password) for user in USERS for password in {*GUESSES, user}]
    with ThreadPoolExecutor(4) as pool:  # more connections would be refused because of their number
        return [f"{user}/{password}" for (user, password), entered in zip(logins, pool.map(enter, logins), strict=True) if entered]


def into_redis(host: str, port: int, *commands: str) -> list[str]:
    """Returns the commands that were answered with anything but an error."""
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
    """Returns the requests that were answered, and the passwords that were accepted."""

    def asked(request: tuple[str, int, int, bytes]) -> list[str]:
        name, api, version, body = request
        try:
            with KafkaConnection(Account(host, port, "", ""), timeout=ANSWER_S) as broker:
                broker._ask(api, version, body)
                return [name]
        except OSError:
            return []

    def entered(login: tuple[str, str]) -> list[str]:
        user, guess = login
        try:
            with KafkaConnection(Account(host, port, user, guess), timeout=ANSWER_S) as broker:
                return [f"{user}/{guess}: {broker.topics()}"]
        except (OSError, ValueError):
            return []

    logins = [(user, guess) for user in ("labkit", "admin", "kafka") for guess in {*GUESSES, user} - {""}]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(itertools.chain(*pool.map(asked, KAFKA_REQUESTS), *pool.map(entered, logins)))
