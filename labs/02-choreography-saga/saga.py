"""saga.yml as a learner writes it, and the saga as the stores show it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from labkit.checking import Evidence, Fact, Failed, Wrong, yaml_of

CREATE, CANCEL = "POST /orders", "POST /orders/{id}/cancel"
ANSWERS = ("CustomerCreditReserved", "CustomerCreditReservationFailed", "CustomerValidationFailed")
EVENTS = ("OrderCreated", "OrderApproved", "OrderRejected", "OrderCancelled", *ANSWERS)
COMMANDS = ("create order", "approve order", "reject order", "cancel order", "reserve credit", "release credit")
WORDS = {"trigger": (CREATE, CANCEL, *EVENTS), "participant": ("orders", "customers"), "does": COMMANDS, "publishes": EVENTS}
SPOKEN = {"trigger": "a trigger", "participant": "a participant", "does": "a step's work", "publishes": "an event"}
PARTICIPANT = {"order_db": "orders", "customer_db": "customers"}
CHANNEL = {event: "Customer" if event.startswith("Customer") else "Order" for event in EVENTS}
REQUESTS = {"PENDING": CREATE, "OrderCreated": CREATE, "CANCELLED": CANCEL, "OrderCancelled": CANCEL}  # triggers that are no message
OUTCOME = {"APPROVED": "approve order", "REJECTED": "reject order", "CANCELLED": "cancel order", "PENDING": "create order"}

# What each transaction did, with the message that it took (none: a request). Batching was off, so each transaction took one message.
_TRANSACTIONS = """
SELECT i.schema_name, m.event, m.order_id, c.before_state, c.after_state, r.op, o.event, t.binlog_file || ':' || t.position
FROM transactions t
LEFT JOIN inbox_commits i ON i.commit_no = t.commit_no
LEFT JOIN outbox m ON m.id = i.message_id
LEFT JOIN order_commits c ON c.commit_no = t.commit_no AND c.after_state IS DISTINCT FROM c.before_state
LEFT JOIN reservation_commits r ON r.commit_no = t.commit_no
LEFT JOIN outbox_changes o ON o.commit_no = t.commit_no AND o.op = 'insert'
WHERE list_contains(?, coalesce(m.order_id, c.id, o.order_id)) ORDER BY t.commit_no
"""


@dataclass
class Step:
    """A step of the saga. `line` is where the learner's step begins. `own` are events that the saga does not need: publishing more is
    also right."""

    trigger: str
    participant: str
    does: set[str] = field(default_factory=set)
    publishes: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    line: int = 0
    seen_at: str = ""


def observed(evidence: Evidence, orders: list[int]) -> dict[str, Step]:
    """Return the observed steps by their triggers. A message without an effect starts no step."""
    steps: dict[str, Step] = {}
    for schema, event, _, _, state, op, published, where in evidence.rows(_TRANSACTIONS, orders):
        trigger = event or REQUESTS.get(state) or REQUESTS.get(published)
        if trigger not in WORDS["trigger"] or (state is None and op is None and published is None):
            continue
        schema = schema or "order_db"
        step = steps.setdefault(trigger, Step(trigger, PARTICIPANT[schema], seen_at=where))
        if state is not None:
            step.does.add(OUTCOME[state])
        if op is not None:
            step.does.add("reserve credit" if op == "insert" else "release credit")
        elif published in ANSWERS:
            step.does.add("reserve credit")  # or tried to reserve it
        if published is not None:
            (step.publishes if published in EVENTS else step.own).add(published)
    return steps


def read(path: Path) -> list[Step]:
    """Return the steps in saga.yml. Raises Failed that names the line of a mistake."""
    try:
        document = yaml_of(path)
    except OSError:
        raise Failed(f"There is no {path.name} in your workspace.", next_step="labkit lab 2 start puts one there") from None
    except Wrong as error:
        _wrong(error.line or 1, error.what)
    entries = document.data.get("steps") if isinstance(document.data, dict) else None
    if not isinstance(entries, list):
        _wrong(1, "it has no list `steps`")
    return [_step(entry, document.line(["steps", number])) for number, entry in enumerate(entries)]


def _step(entry: Any, line: int) -> Step:
    if not isinstance(entry, dict) or set(entry) != set(WORDS):
        _wrong(line, "a step has exactly trigger, participant, does and publishes")
    own = _own(entry["publishes"])
    words = {name: _words(entry[name], name, line, own) for name in WORDS}
    for name in ("trigger", "participant", "does"):
        if len(words[name]) != 1:
            _wrong(line, f"{name} is {'empty' if not words[name] else 'more than one'}")
    return Step(words["trigger"][0], words["participant"][0], set(words["does"]), set(words["publishes"]), own, line)


def _own(published: Any) -> set[str]:
    """Return names that look like events but do not belong to the saga."""
    names = published if isinstance(published, list) else [published]
    return {name for name in names if isinstance(name, str) and re.fullmatch(r"([A-Z][a-z0-9]+){2,}", name) and _bare(name) not in _KNOWN}


_KNOWN = {event.lower() for event in EVENTS}


def _bare(name: object) -> str:
    return " ".join(str(name).split()).lower().removesuffix("event")


def _words(value: Any, name: str, line: int, own: set[str]) -> list[str]:
    """Return the words in their standard spelling, without the events in `own`."""
    known = {word.lower(): word for word in WORDS[name]}
    found = []
    for word in value if isinstance(value, list) else [] if value is None else [value]:
        if name == "publishes" and isinstance(word, str) and word in own:
            continue
        if _bare(word) not in known:
            _no_word(line, word, name)
        found.append(known[_bare(word)])
    return found


def _no_word(line: int, word: object, name: str) -> NoReturn:
    _wrong(line, f"{word!r} is not {SPOKEN[name]}; choose from {', '.join(WORDS[name])}")


def _wrong(line: int, what: str) -> NoReturn:
    raise Failed(f"saga.yml, line {line}: {what}.", next_step="write down what you see in labkit trace order, then labkit lab 2 check 2.1")


def asked(evidence: Evidence, orders: list[int], service: str, event: str) -> str:
    """Return which handler took an event of these orders, if the log shows it, and otherwise a question."""
    found = evidence.rows("SELECT min(id) FROM outbox WHERE event = ? AND list_contains(?, order_id)", event, orders)
    return evidence.about_handler(service, event, found[0][0])


def compare(said: list[Step], real: dict[str, Step], right: list[Step], asked: Callable[[str, str], str]) -> None:
    """Raise Failed with the first difference. Where saga.yml matches the required saga (`right`), the code is wrong."""
    for number, step in enumerate(said, 1):
        if any(other.trigger == step.trigger for other in said[: number - 1]):
            _wrong(step.line, f"a second step that {step.trigger} starts")
        is_right = any(_alike(step, other) for other in right)
        found = real.get(step.trigger)
        if found is None:
            nobody = "in the run of four orders no service did anything with it."
            raise Failed(
                f"Your saga.yml is right ({step.trigger} starts a step of {step.participant}), but your code is not: {nobody}"
                if is_right
                else f"You say that {step.trigger} starts a step of {step.participant}; {nobody}",
                expected=f"{step.participant}: {_list(step.does)}",
                found="nothing",
                so=f"{step.participant} did nothing with {step.trigger}: {asked(step.participant, step.trigger)}" if is_right else "",
                next_step=f"which handler takes {step.trigger}? see services/{step.participant}/handlers.py",
            )
        published = {name.removesuffix("Event") for name in found.own}
        for name in sorted(name for name in step.own if name.removesuffix("Event") not in published):
            _no_word(step.line, name, "publishes")
        if is_right and not _alike(step, found):
            raise _of_the_code(step, found)
        _same("takes", step, step.participant, found.participant, found)
        _same("publishes", step, _list(step.publishes), _list(found.publishes), found)
        _same("does", step, _list(step.does), _list(found.does), found)
    needed = {step.trigger for step in right}
    for trigger, found in real.items():
        if trigger not in {step.trigger for step in said}:
            is_needed = trigger in needed
            raise Failed(
                f"{found.participant} takes {trigger} and does this: {_list(found.does)}. "
                f"{'No step of your saga.yml says so.' if is_needed else 'Neither your saga.yml nor the saga has such a step.'}",
                expected=f"a step with the trigger {trigger}" if is_needed else "nothing",
                found=f"{len(said)} steps, none of them with it" if is_needed else _list(found.does),
                because=[Fact(f"{found.participant} did it in one transaction", found.seen_at)],
                next_step="labkit trace order shows each hop of an order"
                if is_needed
                else f"why does it? see services/{found.participant}/handlers.py",
            )


def _alike(step: Step, other: Step) -> bool:
    return (step.trigger, step.participant, step.does, step.publishes) == (other.trigger, other.participant, other.does, other.publishes)


def _of_the_code(step: Step, found: Step) -> Failed:
    """Return the failure of code that differs from a correct saga.yml."""
    if step.participant != found.participant:
        what, wanted, came = f"{found.participant} takes {step.trigger}", step.participant, found.participant
    elif step.publishes != found.publishes:
        what, wanted, came = f"it publishes {_list(found.publishes)}", _list(step.publishes), _list(found.publishes)
    else:
        what, wanted, came = f"it does this: {_list(found.does)}", _list(step.does), _list(found.does)
    return Failed(
        f"Your saga.yml is right about the step of {step.trigger}, but your code does something else: {what}.",
        expected=wanted,
        found=came,
        because=[Fact(f"{found.participant} did it in one transaction", found.seen_at)],
        next_step=f"what does the code do when {step.trigger} comes? see services/{found.participant}/"
        f"{'app.py' if step.trigger in (CREATE, CANCEL) else 'handlers.py'}",
    )


def _same(verb: str, step: Step, said: str, real: str, found: Step) -> None:
    if said == real:
        return
    if verb == "takes":
        sentence = f"You say that {said} takes {step.trigger}; it is {real}."
    elif verb == "publishes":
        channels = sorted({CHANNEL[event] for event in found.publishes})
        shown = f"the {' and '.join(channels)} channel shows {real}" if channels else "no channel shows anything"
        sentence = f"You say that the step of {step.trigger} publishes {said}; {shown}."
    else:
        sentence = f"You say that {step.participant} does this when {step.trigger} comes: {said}; it was: {real}."
    raise Failed(
        sentence,
        expected=real,
        found=f"{said}, in line {step.line}",
        because=[Fact(f"{found.participant} did it in one transaction", found.seen_at)],
        next_step="labkit trace order shows each hop of an order; fix saga.yml, then labkit lab 2 check 2.1",
    )


def _list(words: set[str]) -> str:
    return ", ".join(sorted(words, key=lambda word: (*COMMANDS, *EVENTS).index(word))) or "nothing"
