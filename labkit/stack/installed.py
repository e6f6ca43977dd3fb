"""The servers that this machine has."""

from dataclasses import dataclass

from labkit.errors import UserError
from labkit.stack.servers import kafka, mysql, redis


@dataclass(frozen=True)
class Installed:
    mysql: mysql.MysqlServer
    kafka: kafka.KafkaServer
    redis: redis.RedisServer

    def versions(self) -> dict[str, str]:
        """For people."""
        return {
            "mysql": f"{self.mysql.kind} {self.mysql.version}",
            "kafka": f"Kafka {self.kafka.version}, 4 partitions a topic",
            "redis": f"{self.redis.kind} {self.redis.version}",
        }


def find_all() -> Installed:
    """Raises UserError that names what is missing."""
    database, broker, view = mysql.find(), kafka.find(), redis.find()
    if database and broker and view:
        return Installed(database, broker, view)
    found = {"MariaDB or MySQL": database, f"Kafka {kafka.VERSION} with a Java runtime": broker, "Redis or Valkey": view}
    raise UserError(f"This machine lacks {', '.join(name for name, server in found.items() if server is None)}.", "labkit setup")
