"""Judging mutants, on several stacks side by side.

Right code is judged between the mutants, too: what was found since the last time counts only when right code still passes. So no mutant
counts as caught because of what an earlier one left behind.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any

from labkit import interrupts
from labkit.catalog.labs import Lab, find_lab
from labkit.catalog.proof_stack import ProofStack, proof_stack
from labkit.checking.checks import CheckResult
from labkit.errors import UserError
from labkit.mutation.judge import Task, first_wrong, judged
from labkit.mutation.results import MutantResult

CONTROL_EVERY = 10  # mutants
_LOOK_S = 0.2
_END_S = 60.0


def judge_all(tasks: Sequence[Task], *, side_by_side: int, stack: str, runtime: str | None) -> Iterator[MutantResult | str]:
    """Yield each result, in any order, and as text whatever else should be said. Raises UserError if right code fails."""
    context = multiprocessing.get_context("spawn")
    waiting: Queue[Task | None] = context.Queue()
    found: Queue[MutantResult | str | UserError | None] = context.Queue()
    for task in (*tasks, *[None] * side_by_side):
        waiting.put(task)
    workers = [
        context.Process(target=_work, args=(f"{stack}-{number}", runtime, waiting, found), daemon=False)
        for number in range(1, side_by_side + 1)
    ]
    interrupts.on_termination()
    for worker in workers:
        worker.start()
    try:
        at_work = len(workers)
        while at_work:
            try:
                result = found.get(timeout=_LOOK_S)
            except Empty:
                if not any(worker.is_alive() for worker in workers) and found.empty():
                    raise UserError("A process that judges mutants has ended.", "run the command again: it goes on") from None
                continue
            if result is None:
                at_work -= 1
            elif isinstance(result, UserError):
                raise result
            else:
                yield result
    finally:
        waiting.cancel_join_thread()  # nobody takes what still waits in it
        _end(workers)


def _end(workers: Sequence[Any]) -> None:
    """Let each worker remove its stack."""
    interrupts.ignore()
    for worker in workers:
        if worker.is_alive():
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGTERM)
    for worker in workers:
        worker.join(_END_S)


def _work(name: str, runtime: str | None, waiting: "Queue[Task | None]", found: "Queue[MutantResult | str | UserError | None]") -> None:
    try:
        with proof_stack(name, runtime) as stack:
            judge = _Judge(stack, found.put)
            while (task := waiting.get()) is not None:
                judge.take(task)
                if (parent := parent_process()) is None or not parent.is_alive():  # it was killed
                    raise KeyboardInterrupt
            judge.confirm()
    except (KeyboardInterrupt, asyncio.CancelledError):  # between two runs, or within one
        pass
    except UserError as error:
        found.put(UserError(error.message, error.next_step))
    else:
        found.put(None)


class _Judge:
    """Judges mutants on one stack. A result is given away when right code has passed after it."""

    def __init__(self, stack: ProofStack, give: Callable[[MutantResult | str], None]) -> None:
        self._stack, self._give = stack, give
        self._open: list[tuple[Task, MutantResult]] = []

    def take(self, task: Task) -> None:
        self._open.append((task, judged(self._stack, task)))
        if len(self._open) >= CONTROL_EVERY:
            self.confirm()

    def confirm(self) -> None:
        """Give away the open results if right code passes now. Otherwise judge these mutants again, each on a fresh stack."""
        labs = {result.lab or task.labs[-1] for task, result in self._open}
        wrong = [why for number in sorted(labs) if (why := self._why_right_code_fails(find_lab(number)))]
        if wrong:
            self._give(f"Right code does not pass after {len(self._open)} mutants: {wrong[0]} Each is judged again, on a fresh stack.")
            for at, (task, _) in enumerate(self._open):
                self._stack.renew(find_lab(task.labs[0]))
                self._open[at] = task, judged(self._stack, task)
        for _, result in self._open:
            self._give(result)
        self._open = []

    def _why_right_code_fails(self, lab: Lab) -> str:
        """Return what right code fails on this stack, or an empty text. Raises UserError if it also fails on a fresh one."""
        wrong = first_wrong(self._stack, lab, None)
        if wrong is None:
            return ""
        self._stack.renew(lab)
        if again := first_wrong(self._stack, lab, None):
            raise UserError(f"The solution of lab {lab.number} does not pass: {_said(again)}", f"labkit author test {lab.number}")
        return _said(wrong)


def _said(wrong: CheckResult | str) -> str:
    return wrong if isinstance(wrong, str) else f"{wrong.check.id} is {wrong.verdict.value}. {wrong.sentence}"
