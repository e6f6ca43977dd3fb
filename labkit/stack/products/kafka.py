"""The Kafka product."""

from pathlib import Path

from labkit import paths
from labkit.account import Account
from labkit.brokers.kafka.connection import KafkaConnection
from labkit.preparation_report import Preparing
from labkit.servers import class_data_archive, kafka
from labkit.stack.model import Stack
from labkit.stack.products import Started
from labkit.stack.runtime import NATIVE

CLIENT_SETTINGS = "client.properties"  # for Kafka's scripts: --command-config FILE
IN_CONTAINER, PORT_IN_CONTAINER = f"/tmp/{CLIENT_SETTINGS}", 9092
SETTINGS_TEXT = "KAFKA_CLIENT_SETTINGS"  # the container's shell writes this variable to the file


class Kafka:
    grace_s = 3.0  # it recovers from a kill, and during its start it does not react to SIGTERM
    memory_mb = 260
    has_second_port = True
    container_shell = ("sh", "-c", f'umask 077; printf %s "${SETTINGS_TEXT}" >"$KAFKA_CLIENT"; unset {SETTINGS_TEXT}; exec sh')
    needed = f"Kafka {kafka.VERSION} with a Java runtime"

    def find(self) -> kafka.KafkaServer | None:
        return kafka.find()

    def version(self, found: kafka.KafkaServer) -> str:
        return f"Kafka {found.version}, 4 partitions a topic"

    def prepare(self, found: kafka.KafkaServer, data: Path, scratch: Path, view: Preparing) -> None:
        kafka.prepare_data(found, data)
        if kafka.archive(found) is None:
            view.preparing("Kafka's class-data archive, which makes it start faster")
            class_data_archive.make(found)

    def started(self, found: kafka.KafkaServer, stack: Stack, name: str, data: Path) -> Started:
        account, accounts = stack.account_of(name), stack.accounts
        login = kafka.Login(account.user, accounts.own(name), open=accounts.open)
        argv = kafka.command(
            found,
            data=data,
            port=account.port,
            controller_port=stack.controller_port,
            login=login,
            archive=kafka.archive(found),
        )
        return Started(argv, settings=kafka.settings_of(data))

    def same_start(self, argv: list[str]) -> list[str]:
        """Ignore the class-data archive: a new archive is not a reason to restart."""
        return [word for word in argv if not word.startswith("-XX:SharedArchiveFile=")]

    def repaired(self, log: list[str]) -> str | None:
        return "labkit removed the stale archive." if kafka.blames_archive(log) and kafka.forget_archive() else None

    def account(self, stack: Stack, name: str) -> Account:
        return stack.account_of(name)

    def not_ready(self, account: Account, timeout_s: float) -> str | None:
        try:
            with KafkaConnection(account, timeout=timeout_s) as connection:
                connection.bounds(connection.channels())  # it leads its partitions shortly after it has joined its cluster
        except (OSError, ValueError) as error:
            return f"it does not answer at {account}: {error}"
        return None

    def container_settings(self, stack: Stack, name: str) -> dict[str, str]:
        """Return two passwords: the one of the clients, and the one that the broker itself logs in with."""
        asked = stack.account_of(name).password
        return {
            "LABKIT_BROKER_PASSWORD": stack.accounts.own(name),
            "LABKIT_KAFKA_PASSWORD": asked,
            "LABKIT_KAFKA_PROTOCOL": "SASL_PLAINTEXT" if asked else "PLAINTEXT",
        }

    def client(self, stack: Stack, name: str) -> tuple[list[str], dict[str, str]] | None:
        """Returns None: Kafka has scripts but no prompt."""
        return None

    def shell_environment(self, stack: Stack, name: str) -> dict[str, str]:
        settings = _client_settings(stack, name)
        if stack.runtime == NATIVE:
            paths.write_private(stack.directory / CLIENT_SETTINGS, settings)
            return {"KAFKA_CLIENT": str(stack.directory / CLIENT_SETTINGS)}
        return {"KAFKA_CLIENT": IN_CONTAINER, SETTINGS_TEXT: settings}

    def hint(self, stack: Stack, name: str) -> str:
        where = stack.account_of(name) if stack.runtime == NATIVE else f"127.0.0.1:{PORT_IN_CONTAINER}"
        return f"Kafka's own scripts log in with: kafka-topics.sh --bootstrap-server {where} --command-config $KAFKA_CLIENT --list"


def _client_settings(stack: Stack, name: str) -> str:
    """Return the login in the format of Kafka's Java clients."""
    at = stack.account_of(name)
    if not at.password:
        return ""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    jaas = f'{module} required username="{at.user}" password="{at.password}";'
    return f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={jaas}\n"
