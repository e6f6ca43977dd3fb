"""A second user of this host, made for the tests. Where tests may not make one, only the parts that need no other user are tested."""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

NAME = "labkit-stranger"


@dataclass(frozen=True)
class Stranger:
    """A second user of this host. `uid` and `gid` are None without one; then the stranger is this user, who can access every file."""

    uid: int | None
    gid: int | None

    def does(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """Runs `act` in a process of the stranger. Returns its result, passed as JSON. Fails the test when it raises."""
        if self.uid is None or self.gid is None:
            return act(*arguments)
        receiving, sending = os.pipe()
        child = os.fork()
        if child == 0:
            self._become_and_do(sending, act, arguments)
        os.close(sending)
        with os.fdopen(receiving) as answers:
            answer = json.loads(answers.read() or '{"raised": "it said nothing"}')
        os.waitpid(child, 0)
        assert "raised" not in answer, answer["raised"]
        return answer["returned"]

    def _become_and_do(self, sending: int, act: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Never returns."""
        assert self.uid is not None
        assert self.gid is not None
        try:
            os.setgroups([])
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)
            answer = {"returned": act(*arguments)}
        except BaseException:
            answer = {"raised": traceback.format_exc()}
        os.write(sending, json.dumps(answer).encode())
        os._exit(0)


@contextmanager
def a_stranger() -> Iterator[Stranger]:
    if os.geteuid() != 0 or sys.platform != "linux":
        yield Stranger(None, None)
        return
    import pwd

    subprocess.run(["useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME], check=False, capture_output=True)
    found = pwd.getpwnam(NAME)
    try:
        yield Stranger(found.pw_uid, found.pw_gid)
    finally:
        subprocess.run(["userdel", NAME], check=False, capture_output=True)
