"""The system's limits for a user: open files and file watches."""

import ctypes
import errno
import os
import resource
import sys
from collections.abc import Iterator

from labkit.doctor.findings import BAD, NOTE, OK, Finding
from labkit.doctor.subject import Subject
from labkit.stack.runtime import NATIVE

FEWEST_FILES = 1024  # MariaDB with 200 connections, and Kafka with its segments


def examine(subject: Subject) -> Iterator[Finding]:
    yield _files(subject)
    if sys.platform == "linux":
        yield _watches()


def _files(subject: Subject) -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    facts = {"soft": None if unlimited else soft}
    if subject.taken == NATIVE and not unlimited and soft < FEWEST_FILES:
        unbounded = hard == resource.RLIM_INFINITY
        fix = f"ulimit -n {4096 if unbounded else min(hard, 4096)}"
        if not unbounded and hard < FEWEST_FILES:
            fix = "sudo prlimit --nofile=4096 --pid $$"
        sentence = f"Here a process may open {soft} files; the servers need {FEWEST_FILES}."
        return Finding("limits.files", BAD, sentence, fix, facts)
    return Finding("limits.files", OK, f"A process may open {'any number of' if unlimited else soft} files.", facts=facts)


def _watches() -> Finding:
    """Create one watch and release it, because the system does not report how many are in use."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(os.O_CLOEXEC)
    if handle < 0:
        return _exhausted("instances", ctypes.get_errno())
    try:
        if libc.inotify_add_watch(handle, b"/", 0x2) < 0:
            return _exhausted("watches", ctypes.get_errno())
    finally:
        os.close(handle)
    return Finding("limits.watches", OK, "File watches are available (inotify).")


def _exhausted(what: str, error: int) -> Finding:
    """Report exhausted watches as a note: labkit needs none, but `docker logs --follow`, editors and reloaders do."""
    sentence = f"No inotify {what} are left ({errno.errorcode.get(error, error)}): editors and reloaders do not notice changes."
    return Finding("limits.watches", NOTE, sentence, f"sudo sysctl fs.inotify.max_user_{what}={1024 if what == 'instances' else 524288}")
