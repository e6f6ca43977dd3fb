"""labkit setup: find the servers, install what is missing, and prepare the files that make them start fast."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import UserError
from labkit.servers import class_data_archive, kafka, mysql, redis
from labkit.servers.cache import move_into_place, scratch_dir

Tell = Callable[[str], None]

MYSQL, REDIS, JAVA, MAVEN = "a MariaDB or MySQL server", "a Redis or Valkey server", "a Java runtime ≥ 17", "Maven (it fetches Kafka)"


@dataclass(frozen=True)
class Installer:
    """A package manager, and its package names. Installing these packages starts no system service."""

    program: str
    install: tuple[str, ...]
    refresh: tuple[str, ...]
    as_root: bool
    packages: dict[str, tuple[str, ...]]


INSTALLERS = (
    Installer(
        "apt-get",
        ("apt-get", "install", "-y", "--no-install-recommends"),
        ("apt-get", "update"),
        True,
        # The -core and -tools packages have the programs. The systemd units are in other packages, which labkit does not install.
        {MYSQL: ("mariadb-server-core",), REDIS: ("redis-tools",), JAVA: ("default-jre-headless",), MAVEN: ("maven",)},
    ),
    Installer(
        "dnf",
        ("dnf", "install", "-y"),
        (),
        True,
        {MYSQL: ("mariadb-server",), REDIS: ("valkey",), JAVA: ("java-21-openjdk-headless",), MAVEN: ("maven",)},
    ),
    Installer(
        "brew",
        ("brew", "install"),
        (),
        False,
        {MYSQL: ("mariadb",), REDIS: ("redis",), JAVA: ("openjdk",), MAVEN: ("maven",)},
    ),
)


def setup(*, assume_yes: bool, tell: Tell) -> None:
    """Install and prepare everything that a stack needs: the servers, a data directory template and a class-data archive.

    `tell` receives one line per server. On a terminal, asks before it installs packages. Raises UserError with the command to run by hand
    when something is unavailable.
    """
    if sys.platform == "win32":
        raise UserError("labkit runs on Linux and macOS.", "on Windows, run it in WSL2")
    _install(_missing(), assume_yes=assume_yes, tell=tell)
    if kafka.find_libs() is None:
        tell(f"fetching Kafka {kafka.VERSION} with Maven …")
        fetch_kafka()
    prepare(tell)


def prepare(tell: Tell) -> None:
    """Report what was found where, and create missing templates and archives. Quick when they exist."""
    database, broker, view = mysql.find(), kafka.find(), redis.find()
    if database is None or broker is None or view is None:
        lacking = _missing()
        raise UserError(f"Still missing: {', '.join(lacking)}.", _by_hand(lacking))
    tell(f"  mysql   {database.kind} {database.version}  {database.binary}")
    if not mysql.has_template(database):
        mysql.template(database)
    tell(f"  kafka   Kafka {broker.version}  {broker.libs}")
    tell(f"          Java {broker.java_version}  {broker.java}")
    if kafka.archive(broker) is None:
        tell("          making its class-data archive, once (about 5 s) …")
        if class_data_archive.make(broker, again=True) is None:
            tell("          no archive could be made: Kafka will start about a second later each time")
    tell(f"  redis   {view.kind} {view.version}  {_shown(view.binary)}")


def fetch_kafka() -> None:
    """Fetch Kafka's jars and their dependencies into the cache, with Maven. Raises UserError."""
    with scratch_dir("jars") as scratch:
        pom, libs = Path(scratch, "pom.xml"), Path(scratch, "libs")
        pom.write_text(POM)
        command = ["mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={libs}"]
        done = _run(command)
        if done.returncode != 0 or not list(libs.glob("kafka_2.13-*.jar")):
            errors = [line for line in done.stdout.splitlines() if "ERROR" in line] or done.stdout.splitlines()
            raise UserError(
                f"Maven could not fetch Kafka {kafka.VERSION}.",
                "labkit setup once the network answers, or set KAFKA_HOME to a Kafka 4 that you have",
                details=[line[:300] for line in errors[:5]],
            )
        move_into_place(libs, kafka.fetched_libs())


POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>labkit</groupId>
  <artifactId>kafka-and-what-it-needs</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{kafka.VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


def _missing() -> list[str]:
    missing = []
    if mysql.find() is None:
        missing.append(MYSQL)
    if redis.find() is None:
        missing.append(REDIS)
    if kafka.find_java() is None:
        missing.append(JAVA)
    if kafka.find_libs() is None and shutil.which("mvn") is None:
        missing.append(MAVEN)
    return missing


def _installer() -> Installer | None:
    return next((one for one in INSTALLERS if shutil.which(one.program)), None)


def _install(missing: Sequence[str], *, assume_yes: bool, tell: Tell) -> None:
    if not missing:
        return
    installer = _installer()
    if installer is None:
        raise UserError(f"Missing on this machine: {', '.join(missing)}. It has no package manager that labkit knows.", _by_hand(missing))
    command = _command(installer, missing)
    tell(f"missing: {', '.join(missing)}")
    tell(f"installing: {' '.join(command)}")
    if installer.as_root and os.geteuid() != 0 and not shutil.which("sudo"):
        raise UserError("Installing packages needs root, and there is no sudo.", f"as root: {' '.join(command)}")
    if not assume_yes and sys.stdin.isatty() and not _agreed():
        raise UserError("Nothing was installed.", f"{' '.join(command)}, then labkit setup")
    done = _run(command)
    if done.returncode != 0 and installer.refresh:  # the package list may be outdated or missing
        _run([*_sudo(installer), *installer.refresh])
        done = _run(command)
    if done.returncode != 0:
        raise UserError(
            f"{installer.program} ended with exit code {done.returncode}.", " ".join(command), details=done.stdout.strip().splitlines()[-8:]
        )


def _agreed() -> bool:
    try:
        return input("Go on? [Y/n] ").strip().lower() in ("", "y", "yes")
    except EOFError:
        return False


def _command(installer: Installer, missing: Sequence[str]) -> list[str]:
    return [*_sudo(installer), *installer.install, *(package for thing in missing for package in installer.packages[thing])]


def _sudo(installer: Installer) -> list[str]:
    if not installer.as_root or os.geteuid() == 0:
        return []
    return ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]  # without a terminal, no password can be entered


def _by_hand(missing: Sequence[str]) -> str:
    installer = _installer()
    if installer is None:
        return "install them, then labkit setup"
    return f"{' '.join(_command(installer, missing))}, then labkit setup"


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run the command and capture its output. sudo asks for the password on the terminal itself."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(list(command), 127, f"{command[0]} is not on this machine")


def _shown(binary: Path) -> str:
    return f"{binary} → {binary.readlink()}" if binary.is_symlink() else str(binary)
