"""`labkit author VERB`: names, options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json
from labkit.terminal import say

Results = Annotated[Path | None, typer.Option("--results", metavar="DIR", help="Where results are kept.", show_default=False)]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="For lab authors: see docs/writing-a-lab.md.")


@app.command("test", short_help="Prove labs: starter, solution, variants, mutants, guide, messages.")
def prove(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[N]...", show_default=False, help="Which labs; default: all.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Record the messages as they are now.")] = False,
    mutant: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this mutant or right variant.", show_default=False)] = None,
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", show_default=False)] = None,
    as_json: Json = False,
) -> int:
    """Prove labs on a stack of their own: the starter fails exactly its named checks, the solution and each right variant pass all, each
    mutant is caught by its check with its own message, the guide's anchors and commands exist, and the messages are as recorded. Exit code
    0 if all of this holds, else 1."""
    from labkit.cli.line_check import misunderstood
    from labkit.commands.author import prove

    with say.document(as_json):
        return prove(numbers or [], misunderstood, record=record, runtime=runtime, only=mutant or [])


@app.command("seeds", short_help="Judge variants and mutants with many seeds.")
def seeds(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[N]...", show_default=False, help="Which labs; default: all.")] = None,
    seeds: Annotated[int, typer.Option(metavar="COUNT", min=1, help="How many seeds: 1 to COUNT.")] = 20,
    times: Annotated[int, typer.Option(metavar="COUNT", min=1, help="How often each seed.")] = 1,
    mutant: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this mutant or right variant.", show_default=False)] = None,
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", show_default=False)] = None,
) -> int:
    """Judge each right variant and each mutant with one seed after another: no verdict may depend on the seed. Exit code 0 if no right
    variant fails, at most 0.5 % of their runs are unknown, and each mutant is caught each time by its check with its own message."""
    from labkit.commands.author_seeds import judge_with_seeds

    drawn = [seed for seed in range(1, seeds + 1) for _ in range(times)]
    return judge_with_seeds(numbers or [], seeds=drawn, runtime=runtime, only=mutant or [])


@app.command("mutate", short_help="Make mutants by rule, and see which of them the checks catch.")
def mutate(
    number: Annotated[int | None, typer.Argument(metavar="[N]", show_default=False, help="Which lab; default: the services.")] = None,
    sample: Annotated[int | None, typer.Option(metavar="COUNT", min=1, help="Only this many, drawn at random.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Draws the sample.")] = 1,
    jobs: Annotated[int, typer.Option(metavar="COUNT", min=1, max=16, help="How many stacks work side by side.")] = 2,
    mutant: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this mutant, and show it.", show_default=False)] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Judge those again that were caught earlier.")] = False,
    results: Results = None,
    exam: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long the exam of a survivor takes.")] = 150.0,
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", show_default=False)] = None,
    as_json: Json = False,
) -> int:
    """Make mutants of the files that a lab's exercise is about: each is the solution with one mistake, made by rule. Judge each with the
    lab's checks, and show those that survive. Without N, make mutants of the services, and judge them by all labs and by labkit exam.

    Later runs go on where the last one stopped. Exit code 0 if at least 98 % of a lab's mutants are caught (of the services': 92 %), else
    1."""
    from labkit.commands.author_mutate import mutate as judge

    with say.document(as_json):
        return judge(
            number,
            sample=sample,
            seed=seed,
            side_by_side=jobs,
            runtime=runtime,
            fresh=fresh,
            only=mutant or [],
            folder=results,
            exam_s=exam,
            as_json=as_json,
        )


@app.command("known", short_help="Write down why mutants are equivalent, or why no check catches them.")
def known(
    why: Annotated[str, typer.Argument(metavar="WHY", show_default=False, help="The reason, in one sentence.")],
    mutants: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False, help="As labkit author mutate shows them.")],
    lab: Annotated[int | None, typer.Option(metavar="N", help="Which lab; default: the services.", show_default=False)] = None,
    is_wrong: Annotated[bool, typer.Option("--not-caught", help="They are wrong, and no check catches them.")] = False,
) -> int:
    """Write down that somebody looked at mutants and found that they mean the same as right code, and why. They are not judged again until
    the code around them changes. With --not-caught, write down why no check catches them; they still count."""
    from labkit.commands.author_known import write_down

    return write_down(lab, mutants, "not caught" if is_wrong else "equivalent", why)


@app.command("table", short_help="Write the mutation scores as a page.")
def table(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The page, in Markdown.")],
    results: Results = None,
) -> int:
    """Write a page with the results of labkit author mutate: for each file how many mutants were made, caught, equivalent, and survived.
    Each survivor is listed with the reason."""
    from labkit.commands.author_table import write_table

    return write_table(file, results)
