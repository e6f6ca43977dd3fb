"""MariaDB or MySQL: find the server, copy a template as its data directory, and build a command line with every option explicit."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit import paths
from labkit.errors import UserError
from labkit.servers.cache import cache_dir, move_into_place, scratch_dir, version_text

NAMES = ("mariadbd", "mysqld")
# Debian and Fedora install servers outside a user's PATH; brew keeps some packages outside its own bin folder.
FOLDERS = (
    "/usr/sbin",
    "/usr/libexec",
    "/usr/local/sbin",
    "/opt/homebrew/bin",
    "/opt/homebrew/opt/mariadb/bin",
    "/opt/homebrew/opt/mysql/bin",
    "/usr/local/bin",
    "/usr/local/opt/mariadb/bin",
    "/usr/local/opt/mysql/bin",
    "/home/linuxbrew/.linuxbrew/opt/mariadb/bin",
)
OLDEST = {"MariaDB": (10, 5), "MySQL": (8, 0)}  # the first versions with binlog_row_metadata

TEMPLATE_FORMAT = 1  # increase this when the creation of a template changes


@dataclass(frozen=True)
class MysqlServer:
    """A server on this machine. `kind` is "MariaDB" or "MySQL"; `version` looks like "10.11.19"."""

    binary: Path
    kind: str
    version: str


def find() -> MysqlServer | None:
    """Find the server: `LABKIT_MYSQLD` if set, else MariaDB before MySQL. Raises UserError when LABKIT_MYSQLD is not a usable server."""
    named = os.environ.get("LABKIT_MYSQLD")
    if named:
        server = _examine(Path(named).absolute())
        if server is None:
            raise UserError(
                f"LABKIT_MYSQLD is {named}, which is not a MariaDB ≥ 10.5 or MySQL ≥ 8.0 server.", "unset LABKIT_MYSQLD, or correct it"
            )
        return server
    return next((server for binary in _candidates() if (server := _examine(binary))), None)


def prepare_data(server: MysqlServer, data: Path, scratch: Path) -> None:
    """Create `data`, which must not exist, as a data directory with the system tables only.

    Only root may log in: over the socket, without a password. An interrupted copy leaves no `data` behind.
    """
    unfinished = scratch / f"{data.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    data.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(template(server), unfinished, copy_function=shutil.copyfile)
    unfinished.chmod(0o700)
    shutil.move(unfinished, data)


def has_template(server: MysqlServer) -> bool:
    return _template_place(server).is_dir()


def template(server: MysqlServer) -> Path:
    """Return the template data directory that `prepare_data` copies. Creates it if it is missing (1 to 20 s)."""
    place = _template_place(server)
    if not place.is_dir():
        with scratch_dir("mysql") as scratch:
            made = Path(scratch, "data")
            made.mkdir(mode=0o700)
            _initialise(server, made)
            move_into_place(made, place)
    return place


def command(server: MysqlServer, *, data: Path, port: int, socket: Path) -> list[str]:
    """Return the command line, which ignores the machine's own configuration. Creates two folders beside `data`.

    The first is an empty folder to which `--secure-file-priv` confines file access, because MariaDB cannot turn file access off. The second
    is for temporary tables: in /tmp, a starting server removes the temporary tables of all other servers.
    """
    files, temporary = data.with_name(f"{data.name}-files"), data.with_name(f"{data.name}-tmp")
    for folder in (files, temporary):
        folder.mkdir(mode=0o700, exist_ok=True)
    return [
        str(server.binary),
        "--no-defaults",
        *_installation(server),
        f"--datadir={data}",
        f"--port={port}",
        f"--socket={socket}",
        f"--pid-file={data / 'mysqld.pid'}",
        f"--secure-file-priv={files}",
        f"--tmpdir={temporary}",
        *_as_root(),
        *COMMON,
        *(MARIADB if server.kind == "MariaDB" else MYSQL),
    ]


def socket_of(stack_directory: Path) -> Path:
    return paths.socket_directory(stack_directory) / "mysql.sock"


ENVIRONMENT = {"UMASK": "0600", "UMASK_DIR": "0700"}  # MySQL sets its own umask

SIZES = ("--innodb-buffer-pool-size=64M", "--loose-innodb-log-file-size=48M")  # the second option does not exist in MySQL 9

COMMON = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--local-infile=OFF",
    "--max-connections=200",
    "--server-id=1",
    "--default-time-zone=+00:00",
    "--character-set-server=utf8mb4",
    # The evidence relies on this: the binlog contains every change completely, and is on disk before a commit is acknowledged.
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--sync-binlog=1",
    "--innodb-flush-log-at-trx-commit=1",
    # Save memory.
    *SIZES,
    "--innodb-log-buffer-size=4M",
    "--key-buffer-size=1M",
    "--performance-schema=OFF",
)
MARIADB = (
    "--log-bin-compress=OFF",
    "--expire-logs-days=0",
    "--aria-pagecache-buffer-size=1M",
    "--query-cache-size=0",
    "--query-cache-type=OFF",
    "--log-warnings=1",  # omit a line for each client that disconnects
)
MYSQL = (
    "--binlog-transaction-compression=OFF",
    "--binlog-expire-logs-seconds=0",
    "--binlog-row-value-options=",
    "--mysqlx=OFF",
    "--loose-innodb-redo-log-capacity=96M",
    "--log-error-verbosity=2",
)


def _candidates() -> Iterator[Path]:
    for name in NAMES:
        on_path = shutil.which(name)
        if on_path:
            yield Path(on_path)
        for folder in FOLDERS:
            binary = Path(folder, name)
            if os.access(binary, os.X_OK):
                yield binary


def _examine(binary: Path) -> MysqlServer | None:
    text = version_text(binary, "--no-defaults", "--version")
    found = re.search(r"Ver (\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        return None
    kind = "MariaDB" if "MariaDB" in text else "MySQL"
    if (int(found[1]), int(found[2])) < OLDEST[kind]:
        return None
    return MysqlServer(binary, kind, ".".join(found.groups()))


def _template_place(server: MysqlServer) -> Path:
    return cache_dir() / "mysql" / f"{server.kind}-{server.version}-{TEMPLATE_FORMAT}".lower()


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def _installation(server: MysqlServer) -> list[str]:
    """Return the location of the server's own files. A MariaDB built for another prefix (brew, a tarball) does not find them by itself."""
    share = _share(server) if server.kind == "MariaDB" else None
    if share is None:
        return []
    prefix = share.parent if share.name == "share" else share.parent.parent
    messages = [f"--lc-messages-dir={share}"] if (share / "english" / "errmsg.sys").is_file() else []
    return [f"--basedir={prefix}", *messages]


def _share(server: MysqlServer) -> Path | None:
    prefixes = (server.binary.resolve().parent.parent, server.binary.parent.parent, Path("/usr"))
    for prefix in prefixes:
        for name in ("mysql", "mariadb", "."):
            share = Path(prefix, "share", name)
            if (share / "mysql_system_tables.sql").is_file():
                return share
    return None


def _initialise(server: MysqlServer, data: Path) -> None:
    if server.kind == "MariaDB":
        script = _bootstrap_script(server)
        mode = ["--bootstrap", "--enforce-storage-engine=", "--log-warnings=0", "--max-allowed-packet=8M"]
    else:
        script = ""
        mode = ["--initialize-insecure"]
    argv = [str(server.binary), "--no-defaults", *_installation(server), f"--datadir={data}", *_as_root(), *SIZES, *mode]
    done = subprocess.run(argv, input=script, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0 or not (data / "mysql").is_dir():
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-5:]
        raise UserError(
            f"{server.kind} {server.version} ({server.binary}) could not create its system tables: exit code {done.returncode}.",
            "labkit setup, or name another server in LABKIT_MYSQLD",
            details=lines,
        )
    (data / "auto.cnf").unlink(missing_ok=True)  # MySQL's server id, which must differ in each copy


def _bootstrap_script(server: MysqlServer) -> str:
    """Return the SQL that mariadb-install-db would run, without help texts and the sys schema.

    mariadb-install-db itself is unsuitable: it needs a helper from the client's package, and as root it writes to the system's plugin
    folder.
    """
    share = _share(server)
    if share is None:
        raise UserError(f"MariaDB's own SQL files (mysql_system_tables.sql) are not next to {server.binary}.", "reinstall MariaDB's server")
    tables = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
    return "\n".join(
        [
            "create database if not exists mysql;",
            "use mysql;",
            "SET @auth_root_socket=NULL;",
            *((share / name).read_text(errors="replace") for name in tables),
            "DELETE FROM global_priv WHERE User <> 'mariadb.sys' AND (User <> 'root' OR Host <> 'localhost');",
            "DELETE FROM proxies_priv WHERE Host <> 'localhost';",
            "",
        ]
    )
