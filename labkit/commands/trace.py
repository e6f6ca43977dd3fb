"""labkit trace: how far an order, a customer or a message got, hop by hop, and which hop is the first one missing."""

import json
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from labkit.errors import ExitCode, UserError
from labkit.plain_numbers import whole
from labkit.terminal import say, screen
from labkit.trace import render
from labkit.trace.live import STORIES, evidence_of_now
from labkit.trace.model import HopMark

FORMS = ("text", "json", "diagram", "mermaid")
HOW_TO_FIND = {
    "order": 'labkit sql "select id, customer_id, total, state from orders order by id desc limit 10"',
    "customer": 'labkit sql "select id, name, credit_limit from customers order by id desc limit 10"',
    "message": "labkit events",
}


def trace(stack_name: str, subject: str, subject_id: str, *, form: str, evidence: Path | None) -> ExitCode:
    """Exit code 0 if every hop is present, 1 if one is missing, 2 if one could not be read."""
    if subject not in STORIES:
        raise UserError(
            f"labkit trace takes order, customer or message, not {subject!r}.", "labkit trace order 1", exit_code=ExitCode.USAGE
        )
    wanted: Any = subject_id if subject == "message" else _number(subject, subject_id)
    with ExitStack() as opened:
        connection = opened.enter_context(_source(stack_name, evidence))
        story = STORIES[subject](connection, wanted)
        now = connection.execute("SELECT value FROM facts WHERE name IN ('now', 'ended') ORDER BY name = 'now' DESC LIMIT 1").fetchone()
    first = story.hops[0] if story.hops else None
    if (
        first is not None
        and first.mark is HopMark.MISSING
        and first.key in ("row", "outbox")
        and len([h for h in story.hops if h.mark is HopMark.OK]) == 0
    ):
        raise UserError(f"There is no {subject} {subject_id}.", HOW_TO_FIND[subject])
    match form:
        case "json":
            say.raw(json.dumps(render.as_data(story), indent=2, ensure_ascii=False))
        case "mermaid":
            say.raw(render.as_mermaid(story))
        case "diagram":
            say.raw(render.as_diagram(story, screen.width()))
        case _:
            say.line(render.as_text(story, screen.width(), datetime.fromisoformat(now[0]) if now else None))
    marks = {hop.mark for hop in story.hops}
    return ExitCode.FAIL if HopMark.MISSING in marks else ExitCode.UNKNOWN if HopMark.UNREAD in marks else ExitCode.OK


def _source(stack_name: str, evidence: Path | None) -> Any:
    if evidence is not None:
        from contextlib import closing

        from labkit.evidence import database

        return closing(database.open_file(evidence))
    from labkit.faults import notes
    from labkit.stack import state

    stack = state.load(stack_name)
    for line in notes.notes(stack):
        say.problem(line)
    return evidence_of_now(stack)


def _number(subject: str, text: str) -> int:
    try:
        return whole(text)
    except ValueError:
        raise UserError(
            f"{text!r} is not {'an' if subject == 'order' else 'a'} {subject} number.", HOW_TO_FIND[subject], exit_code=ExitCode.USAGE
        ) from None
