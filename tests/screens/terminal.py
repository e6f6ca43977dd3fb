"""A person at a new terminal of 80 columns and 24 lines: tmux with a shell without configuration."""

import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

POLL_S = 0.1
PROMPT = re.compile(r"^(?:\(\S+\) )?READY (\d+)>")  # activate puts the environment's name before it
AT_PROMPT = re.compile(r"READY (\d+)>$")  # may follow curl's output, which does not end its line
# Prompts, and what a person types.
ANSWERS = (
    (re.compile(r"\[y/N\]$"), "y"),
    (re.compile(r"^Your answer, 1 to \d+:$"), "1"),
    (re.compile(r"Enter: (more|next|the next stop) .*q: quit$"), ""),
    (re.compile(r"^(:|\(END\))$"), "q"),
)


class Terminal:
    """`said` holds the last command's output, line by line as the terminal shows it. `broken` holds lines that the terminal had to
    break."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, columns: int = 80, lines: int = 24) -> None:
        self._socket = folder / "tmux"
        self.asked: list[str] = []
        self.broken: list[str] = []
        self.said: list[str] = []
        words = [f"{name}={value}" for name, value in {**environment, "PS1": r"READY \#> ", "TERM": "xterm-256color"}.items()]
        shell = ["env", "-i", *words, "bash", "--norc", "--noprofile", "-i"]
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), "-c", str(folder), *shell)
        self._tmux("set-option", "-g", "history-limit", "20000")
        self._number = 0
        self._await_prompt(30.0)

    def close(self) -> None:
        subprocess.run(["tmux", "-S", str(self._socket), "kill-server"], capture_output=True, check=False)

    def type(self, command: str, *, within_s: float = 120.0) -> list[str]:
        """Type a command, answer its prompts, and return its output when the shell is ready again."""
        self.asked = []
        self._tmux("clear-history")
        self._keys("clear")
        self._await_prompt(within_s)
        self._tmux("clear-history")
        self._keys(command)
        self._await_prompt(within_s)
        joined, shown = self._captured("-J"), self._captured()
        begin = max(n for n, line in enumerate(joined) if (found := PROMPT.match(line)) and found.end() < len(line))
        self.said = joined[begin + 1 : -1]
        self.broken = [line for line in self.said if len(line) > 80 and line not in shown]
        return self.said

    def _keys(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def _await_prompt(self, within_s: float) -> None:
        deadline, answered = time.monotonic() + within_s, ""
        while True:
            shown = self._captured()
            last = shown[-1].strip() if shown else ""
            found = AT_PROMPT.search(last)
            if found and int(found[1]) > self._number:
                self._number = int(found[1])
                return
            answer = next((text for asks, text in ANSWERS if asks.search(last)), None)
            screen = "\n".join(shown[-40:])
            if answer is not None and screen != answered:
                answered = screen
                self.asked.append(last)
                self._keys(answer)
            assert time.monotonic() < deadline, f"no prompt after {within_s:g} s:\n{screen}"
            time.sleep(POLL_S)

    def _captured(self, *options: str) -> list[str]:
        text = self._tmux("capture-pane", "-p", "-S", "-", *options)
        return [line.rstrip() for line in text.rstrip("\n").split("\n")]

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-u", "-S", str(self._socket), *arguments], capture_output=True, text=True, check=True)
        return done.stdout
