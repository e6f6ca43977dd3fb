"""How a failing command ends: its message (also as a JSON document, with --json) and its exit code. The only place where errors become exit
codes.

Exit code 1 is a verdict, reserved for commands that judge; if they cannot judge, they end with 2. A bug in labkit, a damaged file of its
own, a full disk and a reader that has gone away end with 255, even if reporting the error fails too.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from labkit import machine_refusals
from labkit.errors import ExitCode, UserError, words_of
from labkit.terminal import streams

JUDGING = {"verify", "exam", "chaos", "trace", "doctor"}


def run(app: Callable[..., Any], arguments: Sequence[str]) -> int:
    """Run the command and return its exit code after all output is written."""
    code = int(ExitCode.INTERNAL)
    try:
        streams.prepare()
        code = _run(app, list(arguments))
        code = _all_written(code)
    except SystemExit:
        raise
    except BaseException as error:  # reporting the error failed
        with suppress(BaseException):
            os.write(2, f"labkit failed: {type(error).__name__}\n".encode(errors="replace"))
        streams.give_up(sys.stdout)
    return code


def _run(app: Callable[..., Any], arguments: list[str]) -> int:
    from labkit.terminal import say

    say.begin()
    try:
        _take_stack_of_workspace()
        return int(app(arguments, prog_name="labkit", standalone_mode=False) or 0)
    except SystemExit:
        raise
    except KeyboardInterrupt:
        return _stopped()
    except BaseException as error:
        if type(error).__name__ == "CancelledError":  # asyncio's error, compared by name to avoid the import: SIGTERM ended a run
            return _stopped()
        leaf = _leaf(error)
        if isinstance(leaf, BrokenPipeError):  # raised by click
            leaf = say.NotWritten(leaf)
        return _unheard(leaf) if isinstance(leaf, say.NotWritten) else _ended(leaf, arguments)


def _unheard(error: Any) -> int:
    from labkit.terminal import say

    streams.give_up(sys.stdout)
    if not error.reader_has_gone:
        say.problem(f"labkit's output could not be written: {error.why}.")
    return ExitCode.INTERNAL


def _all_written(code: int) -> int:
    """Return the code, or INTERNAL if the last output could not be written."""
    if _writable(sys.stdout):
        return code
    streams.give_up(sys.stdout)
    return ExitCode.INTERNAL


def _writable(stream: Any) -> bool:
    try:
        stream.flush()
    except (OSError, ValueError):
        return False
    return True


def _take_stack_of_workspace() -> None:
    """Inside a workspace, let commands use its stack unless --name or LABKIT_NAME is set."""
    if not os.environ.get("LABKIT_NAME"):
        from labkit.workspace import learner_folder

        with suppress(UserError):  # the command that needs the workspace reports it
            found = learner_folder.find()
            if found and found.stack != "default":
                from labkit.stack import stack_names

                os.environ["LABKIT_NAME"] = found.stack
                stack_names.set_default(found.stack)


def _stopped() -> int:
    from labkit.terminal import say

    say.problem("\nStopped.")
    return ExitCode.INTERRUPTED


def _leaf(error: BaseException) -> BaseException:
    """Return the most important error of a group: the first that the user can fix, or else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_leaf(each) for each in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, UserError)), leaves[0])


def _ended(error: BaseException, arguments: list[str]) -> int:
    if hasattr(error, "format_message"):
        return _usage(error, arguments)
    known = error if isinstance(error, UserError) else machine_refusals.as_user_error(error)
    if known is None:
        return _internal(error, arguments)
    code = known.exit_code
    if code is None:
        code = ExitCode.UNKNOWN if judges(arguments) else ExitCode.FAIL if known is error else ExitCode.INTERNAL
    return _tell(str(known), code, arguments, known.message, known.next_step, known.details)


def judges(arguments: Sequence[str]) -> bool:
    """Return whether the command's exit code 1 is a verdict."""
    words = [word for word in arguments if not word.startswith("-")]
    return bool(words) and (words[0] in JUDGING or (words[0] == "lab" and "check" in words[1:]))


def _usage(error: Any, arguments: list[str]) -> int:
    """Report click's errors: wrong options and arguments."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "labkit"
    if context and context.parent:
        command = command.replace("{N}", str(context.parent.params.get("number", "N")))
    from labkit.cli.suggestions import meant

    wanted = meant(arguments)
    message, next_step = error.format_message(), f"{command} --help"
    if wanted:
        message, next_step = f"{message.partition(' Did you mean')[0]} Did you mean {wanted}?", wanted
    shows_help = message.startswith("Usage: ")  # a group without a command: its help says everything
    return _tell(message if shows_help else f"{message}\nNext: {next_step}", ExitCode.USAGE, arguments, message, next_step)


def _internal(error: BaseException, arguments: list[str]) -> int:
    """Report a bug in labkit: write a report that can be pasted, and show only its path."""
    from labkit.crash_report import write_report

    message = f"labkit failed: {words_of(error)}"
    report = write_report(error, arguments)
    where = f"Report: {report}" if report else "No report could be written."
    return _tell(f"{message}\n{where}", ExitCode.INTERNAL, arguments, message, report=str(report) if report else None)


def _tell(
    text: str,
    code: ExitCode,
    arguments: list[str],
    message: str,
    next_step: str | None = None,
    details: Sequence[str] = (),
    **more: str | None,
) -> int:
    from labkit.terminal import say

    say.problem(text)
    if "--json" in arguments and not say.said_something():
        error = {"message": message, "next": next_step, "details": list(details), "exit_code": int(code), **more}
        verdict = {"verdict": "fail" if code is ExitCode.FAIL else "unknown", "reason": message} if judges(arguments) else {}
        try:
            say.raw(json.dumps({**verdict, "error": error}, indent=2, ensure_ascii=False))
        except say.NotWritten:
            streams.give_up(sys.stdout)
    return code
