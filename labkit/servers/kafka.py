"""Kafka on a JRE: find its jars, create its log directory, and build a command line for a fast start and low memory use."""

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
from labkit.servers import kafka_settings
from labkit.servers.cache import cache_dir, version_text

VERSION = "4.4.0"
OLDEST_JAVA = 17
NODE_ID = 1
ARCHIVE_FORMAT = "2"  # increase this when the recording broker serves more kinds of requests


@dataclass(frozen=True)
class KafkaServer:
    """Kafka's jars in `libs`, and the JVM that runs them. Versions look like "4.4.0" and "17.0.15"."""

    libs: Path
    java: Path
    version: str
    java_version: str


@dataclass(frozen=True)
class Login:
    """The login of the broker's clients, and of the broker at its own controller. `open` means that clients need no login."""

    user: str
    password: str
    open: bool = False


def find() -> KafkaServer | None:
    """Find Kafka in `KAFKA_HOME` or the cache, and a JRE in `JAVA_HOME`, PATH or the usual places. Returns None when either is missing."""
    libs, java = find_libs(), find_java()
    return KafkaServer(libs[0], java[0], libs[1], java[1]) if libs and java else None


def find_libs() -> tuple[Path, str] | None:
    """Return the folder of the jars and Kafka's version, or None. Raises UserError when KAFKA_HOME has no Kafka that labkit can run."""
    home = os.environ.get("KAFKA_HOME")
    if not home:
        libs = fetched_libs()
        return (libs, VERSION) if libs.is_dir() else None
    libs = Path(home, "libs").absolute()
    found = next((m for jar in libs.glob("kafka_2.13-*.jar") if (m := re.fullmatch(r"kafka_2\.13-((\d+)\.\d+\.\d+)\.jar", jar.name))), None)
    if found is None or int(found[2]) < 4:
        raise UserError(f"KAFKA_HOME is {home}, but there is no Kafka 4 in its libs folder.", "unset KAFKA_HOME, or correct it")
    return libs, found[1]


def fetched_libs() -> Path:
    """Return the cache folder for fetched jars. It may not exist yet."""
    return cache_dir() / f"kafka-{VERSION}" / "libs"


def find_java() -> tuple[Path, str] | None:
    """Return the path and version of a JVM, version 17 or later, or None."""
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
    """Create an empty log in `data` unless it has one. Equivalent to `kafka-storage.sh format`, but without a JVM."""
    log = _log(data)
    log.mkdir(parents=True, exist_ok=True)
    meta = log / "meta.properties"
    if meta.exists():
        return
    fresh = meta.with_suffix(".unfinished")
    fresh.write_text(f"version=1\ncluster.id={_uuid()}\nnode.id={NODE_ID}\ndirectory.id={_uuid()}\n")
    fresh.replace(meta)


def command(server: KafkaServer, *, data: Path, port: int, controller_port: int, login: Login, archive: Path | None) -> list[str]:
    """Return the command line. Also writes the settings file that it names."""
    settings = settings_of(data)
    write_private(settings, _properties(data, port, controller_port, login))
    shared = [f"-XX:SharedArchiveFile={archive}"] if archive else []
    return [*_java(server), *shared, *_program(server, settings)]


def settings_of(data: Path) -> Path:
    return data / "server.properties"


def archive(server: KafkaServer) -> Path | None:
    """Return the class-data archive for exactly this JVM, these flags and these jars, or None.

    If the cache's path contains a space, the archive has little effect: the JVM then takes no classes of the jars from it.
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
    """Whether the JVM blames its archive for its end. A JVM ignores an archive that does not match, but crashes on a damaged one."""
    return any(word in line for line in log for word in ("shared archive", "SharedArchive", "FileMapInfo", "MetaspaceShared"))


def forget_archive() -> bool:
    """Remove the archive, which is recreated when it is next needed. Returns False when there is none."""
    server = find()
    place = archive(server) if server else None
    if place is None:
        return False
    place.unlink()
    return True


def recording_command(server: KafkaServer, *, data: Path, port: int, controller_port: int, login: Login, into: Path) -> list[str]:
    """As `command`, but the JVM writes the archive to `into` when it ends."""
    plain = command(server, data=data, port=port, controller_port=controller_port, login=login, archive=None)
    java = _java(server)
    return [*java, f"-XX:ArchiveClassesAtExit={into}", *plain[len(java) :]]


# For a broker of this size, C1 and the serial collector need half the CPU time and 100 MB less memory than the defaults.
FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xms32m",
    "-Xmx256m",
    "-Xshare:auto",  # ignore an archive that does not match instead of refusing to start
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
    """Log warnings and the start message to standard output. A Kafka in KAFKA_HOME uses Log4j."""
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
    """Return the JAAS configuration: the accepted login, and the login that the broker itself uses."""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return f'{module} required username="{login.user}" password="{login.password}" user_{login.user}="{login.password}";'


def _log(data: Path) -> Path:
    return data / "log"


def _uuid() -> str:
    """Return 16 random bytes in Kafka's notation. Kafka rejects an id that starts with a hyphen."""
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
    return "".join(f"{name}={_escaped(str(value))}\n" for name, value in (settings | kafka_settings.SETTINGS).items())


def _escaped(value: str) -> str:
    """Escape a value for Java's properties format: ASCII only, backslashes doubled."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if 32 <= code < 127 else f"\\u{code:04x}" for code in codes)
