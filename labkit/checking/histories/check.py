"""Playing a history and judging all that came of it. A short one ends each lab's checks."""

from labkit.checking.histories import draw, pages
from labkit.checking.histories.model import History
from labkit.checking.histories.play import play
from labkit.checking.trial import Trial


async def short_history(trial: Trial) -> None:
    """Play and judge a short history that is drawn from the trial's seed. Raises Failed or NotJudged."""
    await judge_history(trial, draw.short(trial.seed))


async def judge_history(trial: Trial, history: History) -> None:
    """Play a history, judge all invariants, and read the pages of the order history, which has then taken all events. Raises Failed or
    NotJudged."""
    customers = await play(trial, history)
    evidence = await trial.require(about=customers)
    for customer_id in customers:
        await pages.of_view(trial, customer_id)
    await pages.of_the_count(trial, evidence)
