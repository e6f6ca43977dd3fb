"""The settings that make commits durable, read from the running servers."""

import time
from typing import Any

from bench.evidence import kafka_account
from labkit.brokers.kafka import library


def settings(connections: dict[str, Any]) -> str:
    return "; ".join((_mysql(connections["mysql"]), _redis(connections["redis"]), _kafka(connections)))


def commits_per_second(at: dict[str, Any], seconds: float = 2.0) -> float:
    """Durable commits of one row per second, over one connection. It measures the machine, so that figures of different machines
    compare."""
    import pymysql

    with pymysql.connect(**at, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE yardstick")
        try:
            cursor.execute("CREATE TABLE yardstick.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100)) ENGINE=InnoDB")
            begun, count = time.perf_counter(), 0
            while time.perf_counter() - begun < seconds:
                cursor.execute("INSERT INTO yardstick.t (text) VALUES ('one row')")
                count += 1
            return count / (time.perf_counter() - begun)
        finally:
            cursor.execute("DROP DATABASE yardstick")


def _mysql(at: dict[str, Any]) -> str:
    import pymysql

    names = ("sync_binlog", "innodb_flush_log_at_trx_commit", "binlog_format", "binlog_row_image")
    with (
        pymysql.connect(host=at["host"], port=at["port"], user=at["user"], password=at["password"]) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN {names}")
        found = dict(cursor.fetchall())
        cursor.execute("SELECT @@version")
        ((version,),) = cursor.fetchall()
    return f"MySQL {version} " + " ".join(f"{name}={found[name]}" for name in names)


def _redis(at: dict[str, Any]) -> str:
    import redis

    with redis.Redis(host=at["host"], port=at["port"], password=at["password"], decode_responses=True) as connection:
        found: dict[str, str] = connection.config_get("append*")
    return f"Redis appendonly={found['appendonly']} appendfsync={found['appendfsync']}"


def _kafka(connections: dict[str, Any]) -> str:
    from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

    topic = "io.eventuate.examples.tram.ordersandcustomers.orders.domain.Order"
    names = ("cleanup.policy", "retention.ms", "retention.bytes", "flush.messages")
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient(library.settings(kafka_account(connections)))  # must stay alive until the answer arrives
    found = admin.describe_configs([resource])[resource].result(10)
    return "Kafka " + " ".join(f"{name}={found[name].value}" for name in names if name in found)
