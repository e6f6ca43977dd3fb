"""The check that ends each lab: a short history is played, each page is read, and all invariants are judged."""

from labkit.checking.histories import draw, pages
from labkit.checking.histories.play import play, view_shows
from labkit.checking.trial import Trial


async def short_history(trial: Trial) -> None:
    """Play a short history that is drawn from the trial's seed. Raises Failed or NotJudged."""
    customers = await play(trial, draw.short(trial.seed))
    evidence = await trial.require(about=customers)
    await view_shows(trial, customers)
    await pages.of_the_count(trial, evidence)
