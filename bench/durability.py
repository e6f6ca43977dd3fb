"""The settings that make a commit a commit, read from the running servers."""

from typing import Any


def settings(connections: dict[str, Any]) -> str:
    return "; ".join((_mysql(connections["mysql"]), _redis(connections["redis"]), _kafka(connections["kafka"]["bootstrap"])))


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

    with redis.Redis(host=at["host"], port=at["port"], decode_responses=True) as connection:
        found: dict[str, str] = connection.config_get("append*")
    return f"Redis appendonly={found['appendonly']} appendfsync={found['appendfsync']}"


def _kafka(bootstrap: str) -> str:
    from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

    topic = "io.eventuate.examples.tram.ordersandcustomers.orders.domain.Order"
    names = ("cleanup.policy", "retention.ms", "retention.bytes", "flush.messages")
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": bootstrap})  # must live until its answer is there
    found = admin.describe_configs([resource])[resource].result(10)
    return "Kafka " + " ".join(f"{name}={found[name].value}" for name in names if name in found)
