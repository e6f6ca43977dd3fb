"""Kafka on a JRE: find or fetch its jars, begin its log, and call it so that it starts fast and stays small."""

import base64
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import UserError
from labkit.paths import write_private
from labkit.servers.cache import cache_dir, version_text

VERSION = "4.4.0"
OLDEST_JAVA = 17
NODE_ID = 1
ARCHIVE_FORMAT = "2"  # raise it when the recording broker is used for more


@dataclass(frozen=True)
class KafkaServer:
    """Kafka's jars in `libs` and the JVM that runs them. Versions like "4.4.0" and "17.0.15"."""

    libs: Path
    java: Path
    version: str
    java_version: str


@dataclass(frozen=True)
class Login:
    """By which the broker's clients log in, and the broker at its own controller. `open`: clients need not."""

    user: str
    password: str
    open: bool = False


def find() -> KafkaServer | None:
    """Kafka from `KAFKA_HOME` or the cache with a JRE from `JAVA_HOME`, PATH or the usual places; None when either is missing."""
    libs, java = find_libs(), find_java()
    return KafkaServer(libs[0], java[0], libs[1], java[1]) if libs and java else None


def find_libs() -> tuple[Path, str] | None:
    """The folder of the jars and Kafka's version. UserError when KAFKA_HOME has none that labkit can run."""
    home = os.environ.get("KAFKA_HOME")
    if not home:
        libs = fetched_libs()
        return (libs, VERSION) if libs.is_dir() else None
    libs = Path(home, "libs").absolute()
    found = next((m for jar in libs.glob("kafka_2.13-*.jar") if (m := re.fullmatch(r"kafka_2\.13-((\d+)\.\d+\.\d+)\.jar", jar.name))), None)
    if found is None or int(found[2]) < 4:
        raise UserError(f"KAFKA_HOME is {home}, and there is no Kafka 4 in its libs folder.", "unset KAFKA_HOME, or correct it")
    return libs, found[1]


def fetched_libs() -> Path:
    """Where the jars are once they are fetched."""
    return cache_dir() / f"kafka-{VERSION}" / "libs"


def find_java() -> tuple[Path, str] | None:
    """The JVM and its version, 17 or later."""
    for java in _javas():
        found = re.search(r'version "((\d+)[^"]*)"', version_text(java, "-version"))
        if found and int(found[2]) >= OLDEST_JAVA:
            return java, found[1]
    return None


def _javas() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home, "bin", "java").absolute()
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    for brew in ("/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"):
        yield Path(brew, "opt/openjdk/bin/java")
    for installed in (Path("/usr/lib/jvm"), Path("/Library/Java/JavaVirtualMachines")):
        yield from sorted(installed.glob("*/bin/java")) + sorted(installed.glob("*/Contents/Home/bin/java"))


def prepare_data(server: KafkaServer, data: Path) -> None:
    """Begin an empty log in `data`, or keep the one that is there. It does what kafka-storage.sh format does, without a JVM."""
    log = _log(data)
    log.mkdir(parents=True, exist_ok=True)
    meta = log / "meta.properties"
    if meta.exists():
        return
    fresh = meta.with_suffix(".unfinished")
    fresh.write_text(f"version=1\ncluster.id={_uuid()}\nnode.id={NODE_ID}\ndirectory.id={_uuid()}\n")
    fresh.replace(meta)


def command(server: KafkaServer, *, data: Path, port: int, controller_port: int, login: Login, archive: Path | None) -> list[str]:
    """The whole command line. Writes the settings, which it names."""
    settings = settings_of(data)
    write_private(settings, _properties(data, port, controller_port, login))
    shared = [f"-XX:SharedArchiveFile={archive}"] if archive else []
    return [*_java(server), *shared, *_program(server, settings)]


def settings_of(data: Path) -> Path:
    return data / "server.properties"


def archive(server: KafkaServer) -> Path | None:
    """The class-data archive that was made for exactly this JVM, these flags and these jars.

    (In a cache whose path has a space it does little: the JVM takes none of the jars' classes from it.)
    """
    place = archive_place(server)
    return place if place.is_file() else None


def archive_place(server: KafkaServer) -> Path:
    java = server.java.resolve()
    parts = [ARCHIVE_FORMAT, str(java), str(java.stat().st_mtime_ns), version_text(server.java, "-version"), *FLAGS]
    for jar in _jars(server):
        file = jar.stat()
        parts += [str(jar), str(file.st_size), str(file.st_mtime_ns)]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return cache_dir() / "archives" / f"kafka-{server.version}-{key}.jsa"


def blames_archive(log: list[str]) -> bool:
    """Does the JVM say that it ended because of its archive? It ignores one that does not fit, and crashes on one that is damaged."""
    return any(word in line for line in log for word in ("shared archive", "SharedArchive", "FileMapInfo", "MetaspaceShared"))


def forget_archive() -> bool:
    """Remove the archive, to be made again when it is next needed. False when there is none."""
    server = find()
    place = archive(server) if server else None
    if place is None:
        return False
    place.unlink()
    return True


def recording_command(server: KafkaServer, *, data: Path, port: int, controller_port: int, login: Login, into: Path) -> list[str]:
    """As `command`, and the JVM writes the archive to `into` when it ends."""
    plain = command(server, data=data, port=port, controller_port=controller_port, login=login, archive=None)
    java = _java(server)
    return [*java, f"-XX:ArchiveClassesAtExit={into}", *plain[len(java) :]]


# C1 and the serial collector: half the CPU time and 100 MB less than the defaults for a broker of this size.
FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xms32m",
    "-Xmx256m",
    "-Xshare:auto",  # an archive that does not fit is ignored, never a reason not to start
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
)


def _java(server: KafkaServer) -> list[str]:
    return [str(server.java), *FLAGS]


def _program(server: KafkaServer, settings: Path) -> list[str]:
    return [
        *_logging(server, settings.with_name("log4j2.properties")),
        "-cp", ":".join(str(jar) for jar in _jars(server)),
        "kafka.Kafka", str(settings),
    ]  # fmt: skip


def _jars(server: KafkaServer) -> list[Path]:
    return sorted(server.libs.glob("*.jar"))


def _logging(server: KafkaServer, settings: Path) -> list[str]:
    """Warnings, and the line that it has started, to the standard output. A Kafka of one's own (KAFKA_HOME) logs by Log4j."""
    if not list(server.libs.glob("log4j-slf4j*.jar")):
        return list(SIMPLE_LOGGER)
    settings.write_text(LOG4J)
    return [f"-Dlog4j2.configurationFile={settings.absolute().as_uri()}", "-Dlog4j2.disable.jmx=true"]


SIMPLE_LOGGER = (
    "-Dorg.slf4j.simpleLogger.logFile=System.out",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.clients.NetworkClient=error",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
)
LOG4J = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c - %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.started.name = kafka.server.KafkaRaftServer
logger.started.level = info
"""


def _jaas(login: Login) -> str:
    """Who may log in, and as whom the broker itself does."""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return f'{module} required username="{login.user}" password="{login.password}" user_{login.user}="{login.password}";'


def _log(data: Path) -> Path:
    return data / "log"


def _uuid() -> str:
    """Kafka's own way to write 16 random bytes. It does not take one that begins like an option."""
    while (text := base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")).startswith("-"):
        pass
    return text


CLIENTS = "CLIENTS"
CONTROLLER = "CONTROLLER"


def _properties(data: Path, port: int, controller_port: int, login: Login) -> str:
    log = str(_log(data))
    if "," in log:
        raise UserError(f"Kafka cannot keep its data in a folder with a comma in its name: {log}", "set LABKIT_HOME to another folder")
    settings = {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "controller.quorum.voters": f"{NODE_ID}@127.0.0.1:{controller_port}",
        "controller.listener.names": CONTROLLER,
        "listeners": f"{CLIENTS}://127.0.0.1:{port},{CONTROLLER}://127.0.0.1:{controller_port}",
        "advertised.listeners": f"{CLIENTS}://127.0.0.1:{port}",
        "inter.broker.listener.name": CLIENTS,
        "listener.security.protocol.map": f"{CLIENTS}:{'PLAINTEXT' if login.open else 'SASL_PLAINTEXT'},{CONTROLLER}:SASL_PLAINTEXT",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        **{
            f"listener.name.{listener.lower()}.{name}": value
            for listener in (CLIENTS, CONTROLLER)
            for name, value in (("sasl.enabled.mechanisms", "PLAIN"), ("plain.sasl.jaas.config", _jaas(login)))
        },
        "log.dirs": log,
    }
    return "".join(f"{name}={_escaped(str(value))}\n" for name, value in (settings | SETTINGS).items())


def _escaped(value: str) -> str:
    """A value as Java's properties reader takes it: ASCII, backslashes doubled."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if 32 <= code < 127 else f"\\u{code:04x}" for code in codes)


SETTINGS: dict[str, int | str] = {
    # Topics: four partitions, and nothing is ever deleted but by `labkit reset`. Evidence rests on it.
    "auto.create.topics.enable": "true",
    "num.partitions": 4,
    "log.cleanup.policy": "delete",
    "log.retention.ms": -1,
    "log.retention.bytes": -1,
    # Until it is written down where a partition begins, deleted records come back when the broker is killed. By default that is
    # once a minute, and not in the first 30 s.
    "log.flush.start.offset.checkpoint.interval.ms": 250,
    "log.initial.task.delay.ms": 250,
    "offsets.retention.minutes": 525600,
    # One node: one replica of everything.
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    # Groups form at once, and labs may use short sessions.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    # After kill -9 the controller takes a broker back only when its session has run out: 9 s by default, in which nobody can use it.
    "broker.heartbeat.interval.ms": 300,
    "broker.session.timeout.ms": 1500,
    # A lone controller need not prove twice a second that it lives.
    "metadata.max.idle.interval.ms": 0,
    # Small: few threads, no JMX beans, a small buffer for the log cleaner.
    "num.network.threads": 2,
    "num.io.threads": 3,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 1,
    "num.replica.alter.log.dirs.threads": 1,
    "group.coordinator.threads": 1,
    "log.cleaner.threads": 1,
    "log.cleaner.dedupe.buffer.size": 4194304,
    "metric.reporters": "",
}
