# ruff: noqa: PTH105, PTH108, PTH112, PTH118, PTH123, PTH202 (pathlib alone takes 1.5 MB)
"""The supervisor: the parent of a stack's processes. Only a parent learns how each of them ended.

Run it as a script: `python -I -S supervisor.py STACK_DIRECTORY SOCKET [COMPONENT...]`. It uses the standard library alone, and as little of
it as possible, because its memory counts as the stack's. It starts the named components of `plan.json`, adopts those that an earlier
supervisor left running, and writes each start and end to `events.jsonl`. It restarts nothing. On the socket it accepts `start COMPONENT...`
and answers `ok`. After SIGTERM it starts no more components, and it ends with the last of its processes. If it is killed, its processes
keep running.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time

ADOPTED_INTERVAL = 0.5  # seconds between two checks of processes that are not its children
LOG_LIMIT = 32 * 1024 * 1024  # bytes; a larger log is rotated when its component starts
COMMAND_TIMEOUT = 2.0  # seconds for a complete command to arrive


def start_time(pid: int) -> str:
    """Return an identifier that separates this process from a later one with the same pid, or "" when there is no process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat, open("/proc/sys/kernel/random/boot_id") as boot:
            fields = stat.read().rpartition(b")")[2].split()
            return "" if fields[0] in (b"Z", b"X") else f"{boot.read().strip()}:{fields[19].decode()}"
    except OSError:
        if os.path.isdir("/proc/self"):
            return ""
    with contextlib.suppress(OSError):  # without /proc only labkit, which has psutil, can determine the start time exactly
        os.kill(pid, 0)
        return str(time.time())
    return ""


class Supervisor:
    def __init__(self, directory: str, socket_path: str) -> None:
        self.directory = directory
        self.children: dict[int, str] = {}
        self.adopted: dict[str, tuple[int, str]] = {}
        self.closing = False
        self.pending = b""
        self.wake, wake_write = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGTERM, self.close)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.record_process("supervisor", os.getpid())
        self.record_event("start", "supervisor", os.getpid())
        with contextlib.suppress(FileNotFoundError):
            os.unlink(socket_path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(socket_path)

    def close(self, *_: object) -> None:
        self.closing = True

    def record_event(self, event: str, component: str, pid: int, **facts: object) -> None:
        line = {"time": round(time.time(), 3), "event": event, "component": component, "pid": pid, **facts}
        self.pending += (json.dumps(line) + "\n").encode()
        self.write_pending()

    def write_pending(self) -> None:
        """Write the pending events, as far as the disk has room. The rest is retried later, so that a full disk does not end the
        supervisor.

        Opens the file each time, because it may have been removed or replaced.
        """
        if not self.pending:
            return
        with contextlib.suppress(OSError):
            events = os.open(os.path.join(self.directory, "events.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                while self.pending:
                    self.pending = self.pending[os.write(events, self.pending) :]
            finally:
                os.close(events)

    def record_process(self, component: str, pid: int) -> None:
        """Record this process as that of `component`.

        If that fails, remove the record: a missing record is better than a wrong one, because labkit then finds the process by its
        environment.
        """
        path = os.path.join(self.directory, "processes", component)
        aside = f"{path}.{os.getpid()}"
        try:
            with open(aside, "w") as file:
                file.write(f"{pid} {start_time(pid)}")
            os.replace(aside, path)
        except OSError:
            for lost in (aside, path):
                with contextlib.suppress(OSError):
                    os.unlink(lost)

    def recorded(self, component: str) -> tuple[int, str]:
        try:
            with open(os.path.join(self.directory, "processes", component)) as file:
                pid, _, start = file.read().partition(" ")
            return int(pid), start.strip()
        except (OSError, ValueError):
            return 0, ""

    def runs(self, component: str) -> bool:
        pid, start = self.recorded(component)
        found = start_time(pid) if pid else ""
        return bool(found) and (found == start or ":" not in found)

    def adopt(self, components: list[str]) -> None:
        for component in components:
            if self.runs(component):
                self.adopted[component] = self.recorded(component)
                self.record_event("adopt", component, self.adopted[component][0])

    def plan(self) -> dict[str, dict[str, object]]:
        with open(os.path.join(self.directory, "plan.json")) as file:
            plan: dict[str, dict[str, object]] = json.load(file)
        return plan

    def start(self, components: list[str]) -> str:
        if self.closing:
            return "closing"
        plan = self.plan()
        for component in components:
            if component not in plan:
                return f"unknown component {component}"
        for component in components:
            self.reap_dead(component)
            if component not in self.children.values() and not self.runs(component):
                self.adopted.pop(component, None)
                self.spawn(component, plan[component])
        return "ok"

    def spawn(self, component: str, how: dict[str, object]) -> None:
        log = os.path.join(self.directory, "logs", f"{component}.log")
        if self.size(log) > LOG_LIMIT:
            with contextlib.suppress(OSError):
                os.replace(log, f"{log}.1")
        log_from = self.size(log)
        pid = os.fork()
        if pid == 0:
            self.execute(component, how, log)
        self.children[pid] = component
        self.record_process(component, pid)  # the caller finds the process at once
        self.record_event("start", component, pid, log_from=log_from)  # earlier text in the log is from other processes

    def size(self, path: str) -> int:
        try:
            return os.path.getsize(path)
        except OSError:
            return 0

    def execute(self, component: str, how: dict[str, object], log: str) -> None:
        """In the child: record the process, then execute the component. Never returns."""
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            self.record_process(component, os.getpid())  # repeated here in case the parent is killed now
            os.chdir(str(how["cwd"]))
            argv, environment = how["argv"], how["env"]
            assert isinstance(argv, list)
            assert isinstance(environment, dict)
            os.execve(argv[0], argv, environment)
        except BaseException as error:
            os.write(2, f"cannot start {component}: {error}\n".encode())
        finally:
            os._exit(127)

    def reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                self.ended(pid, status)

    def reap_dead(self, component: str) -> None:
        """Reap a dead process whose last threads still exist. Before they end it cannot be reaped, and it would count as running."""
        for pid in [pid for pid, name in self.children.items() if name == component and not start_time(pid)]:
            with contextlib.suppress(ChildProcessError):
                self.ended(*os.waitpid(pid, 0))

    def ended(self, pid: int, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        how = {"exit_code": code} if code >= 0 else {"signal": -code}
        self.record_event("end", self.children.pop(pid, "?"), pid, **how)

    def check_adopted(self) -> None:
        for component, (pid, start) in list(self.adopted.items()):
            found = start_time(pid)
            if not found or (":" in found and found != start):
                del self.adopted[component]
                self.record_event("end", component, pid, exit_code=None)  # only a parent learns the exit code

    def answer_command(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(COMMAND_TIMEOUT)
            try:
                verb, *components = connection.makefile("r").readline().split()
                answer = self.start(components) if verb == "start" else f"unknown command {verb}"
            except (OSError, ValueError, KeyError, TypeError) as error:
                answer = f"error: {error}"
            with contextlib.suppress(OSError):
                connection.sendall(f"{answer}\n".encode())

    def run(self) -> None:
        self.listener.listen(8)
        while not (self.closing and not self.children and not self.adopted):
            timeout = ADOPTED_INTERVAL if self.adopted or self.pending else None
            ready, _, _ = select.select([self.listener.fileno(), self.wake], [], [], timeout)
            self.write_pending()
            if self.wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
            self.reap()
            self.check_adopted()
            if self.listener.fileno() in ready:
                self.answer_command()
        self.record_event("end", "supervisor", os.getpid(), exit_code=0)


def main() -> None:
    os.umask(0o077)  # only the user can read what the supervisor and the components write
    directory, socket_path, *components = sys.argv[1:]
    supervisor = Supervisor(directory, socket_path)
    supervisor.adopt(list(supervisor.plan()))
    supervisor.start(components)
    supervisor.run()


if __name__ == "__main__":
    main()
