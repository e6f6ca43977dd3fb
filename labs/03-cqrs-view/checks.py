"""Lab 3: the order history is what its events say, in any order and with any repetition, and it answers without the owners of the data."""

from labkit.checking import Trial, beside, check, short_history

stage, kill = beside(__file__, "stage"), beside(__file__, "kill")


class View:
    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.stage = stage.Stage(trial)
        self.kill = kill.Kill(trial)


@check("3.1", "The order history shows what the services hold", alone=True)
async def shows_what_is_held(lab: View) -> None:
    await lab.stage.scene.for_check("3.1")


@check("3.2", "An event that overtakes another does no harm", alone=True)
async def overtaking(lab: View) -> None:
    await lab.stage.scene.for_check("3.2")


@check("3.3", "An event that comes twice counts once", alone=True)
async def twice(lab: View) -> None:
    await lab.stage.scene.for_check("3.3")
    await lab.kill.scene.for_check("3.3")


@check("3.4", "An order may come before its customer", alone=True)
async def order_before_customer(lab: View) -> None:
    await lab.stage.scene.for_check("3.4")


@check("3.5", "The order history answers while the owners of the data are down", alone=True)
async def owners_down(lab: View) -> None:
    await lab.stage.scene.for_check("3.5")


@check("3.6", "An unknown customer's order history is not found", alone=True)
async def of_nobody(lab: View) -> None:
    await lab.stage.scene.for_check("3.6")


@check("3.7", f"After a kill it still knows everything, and catches up with {kill.ORDERS} orders", alone=True)
async def after_a_kill(lab: View) -> None:
    await lab.kill.scene.for_check("3.7")


@check("3.8", "Whatever customers do, the rules hold")
async def whatever_they_do(lab: View) -> None:
    await short_history(lab.trial)


def prepare(trial: Trial) -> View:
    """Return the argument of this lab's checks."""
    return View(trial)
