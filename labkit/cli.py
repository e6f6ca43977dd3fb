"""The command line: names, options and help. Each command is imported when it is called."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from labkit.cli_groups import Root
from labkit.errors import ExitCode, UserError

app = typer.Typer(
    name="labkit",
    cls=Root,
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Option("--name", envvar="LABKIT_NAME", metavar="NAME", help="Which stack.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command(short_help="Find or get the servers that a stack needs.")
def setup(
    yes: Yes = False,
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", help="For which runtime.")] = None,
) -> int:
    """Find or get the servers that a stack needs: MariaDB or MySQL, Kafka, Java, Redis or Valkey; nothing where Docker answers."""
    from labkit.commands.setup import setup

    return setup(yes=yes, runtime=runtime)


@app.command(short_help="Start the stack, or repair what is missing.")
def up(
    name: Name = "default",
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", help="How the stack runs.")] = None,
    services: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder that holds `services`.")] = None,
    open_wanted: Annotated[
        bool, typer.Option("--open", help="Kafka and Redis ask for no password, so that services of others reach them.")
    ] = False,
) -> int:
    """Start the stack and wait until all of it is ready. When it runs already, repair what is missing. The stores ask for the stack's own
    passwords (`labkit status --json` tells them). With --open Kafka and Redis ask for none, and the services' accounts in MySQL have
    their names as passwords: whoever works on this host can then read and change what is in them. The next `labkit up` without --open
    closes the stack again.
    LABKIT_START_TIMEOUT sets the seconds that a component may take."""
    from labkit.commands.up import up

    return up(name, runtime=runtime, services=services, open_wanted=open_wanted)


@app.command(short_help="Stop the stack; its data is kept.")
def down(
    name: Name = "default", data: Annotated[bool, typer.Option("--data", help="Remove its data too.")] = False, yes: Yes = False
) -> int:
    """Stop every process of the stack. Its data is kept unless --data is given, which asks first."""
    from labkit.commands.down import down

    return down(name, data=data, yes=yes)


@app.command(short_help="Show what runs and where.")
def status(name: Name = "default", as_json: Json = False) -> int:
    """Show each component with its state, endpoint, process and memory. Exit code 1 when not all is ready."""
    from labkit.commands.status import status

    return status(name, as_json=as_json)


@app.command(short_help="Show what the components wrote.")
def logs(
    component: Annotated[str | None, typer.Argument(metavar="[COMPONENT]", show_default=False)] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Only so many lines from the end.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The services' lines as they wrote them: JSON.")] = False,
    name: Name = "default",
) -> int:
    """Show the log of one component, or the last lines of each. Of what services wrote: when, which message, what handled it, how long."""
    from labkit.commands.logs import logs

    return logs(name, component, follow=follow, lines=lines, as_json=as_json)


@app.command(short_help="Open a store's prompt, or a service's shell.")
def shell(
    component: Annotated[str, typer.Argument(metavar="COMPONENT")],
    sh: Annotated[bool, typer.Option("--sh", help="A shell instead of the prompt of mysql, redis or kafka.")] = False,
    name: Name = "default",
) -> int:
    """Open the prompt of mysql, redis or kafka, logged in at this stack's port. Of a service, and with --sh: a shell where it runs, in its
    container, or natively in its folder with its environment."""
    from labkit.commands.shell import shell

    return shell(name, component, sh=sh)


@app.command(short_help="Stop components and start them again.")
def restart(components: Annotated[list[str], typer.Argument(metavar="COMPONENT...")], name: Name = "default") -> int:
    """Stop components and start them again, services with their files as they are now."""
    from labkit.commands.restart import restart

    return restart(name, components)


@app.command(short_help="Empty all stores and begin anew.")
def reset(
    data: Annotated[bool, typer.Option("--data", help="Customers, orders and messages; what it does without options.")] = False,
    lab: Annotated[int | None, typer.Option("--lab", metavar="N", help="Files and data back to where lab N begins.")] = None,
    workspace: Annotated[bool, typer.Option("--workspace", help="Files as labkit init made them; no progress.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Workspace and data, and the servers start cold.")] = False,
    stacks: Annotated[str | None, typer.Option("--stack", metavar="PATTERN", help="All stacks of this name, such as 'seat-*'.")] = None,
    yes: Yes = False,
    name: Name = "default",
) -> int:
    """Begin anew. Each form says what will be lost, and asks; files of yours that it replaces are always kept. With --stack all matching
    stacks are reset side by side, and the exit code is 0 only if each of them then passes lab 1."""
    if data + workspace + everything + (lab is not None) > 1:
        message = "--data, --lab, --workspace and --all are different resets: choose one."
        raise UserError(message, "labkit reset --help", exit_code=ExitCode.USAGE)
    from labkit.commands import lab_files, reset

    what = reset.WORKSPACE if workspace else reset.ALL if everything else reset.DATA
    if stacks is not None:
        return reset.reset_many(stacks, what=what, lab=lab, yes=yes)
    return lab_files.reset(name, lab, yes=yes) if lab is not None else reset.reset(name, what=what, yes=yes)


@app.command(short_help="Judge everything that has happened.")
def verify(
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also as a page with the timeline.")] = None,
    evidence: Annotated[Path | None, typer.Option(metavar="FILE", help="Judge this file instead of the stack.")] = None,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the evidence, to be judged anywhere.")] = None,
    name: Name = "default",
) -> int:
    """Judge the whole stack since its last reset: exit code 0 pass, 1 fail, 2 unknown."""
    from labkit.commands.verify import verify

    return verify(name, json_wanted=as_json, html=html, evidence=evidence, save=save)


@app.command(short_help="Follow an order, hop by hop: labkit trace order 17.")
def trace(
    subject: Annotated[str, typer.Argument(metavar="order|customer|message")],
    subject_id: Annotated[str, typer.Argument(metavar="ID")],
    diagram: Annotated[bool, typer.Option("--diagram", help="As a sequence, drawn in the terminal.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid sequence diagram.")] = False,
    as_json: Json = False,
    evidence: Annotated[Path | None, typer.Option(metavar="FILE", help="In this evidence file instead of the stack.")] = None,
    name: Name = "default",
) -> int:
    """Show each hop of an order (or customer, or message) through the stores, and the first one that is missing with its likely cause."""
    from labkit.commands.trace import trace

    form = "json" if as_json else "mermaid" if mermaid else "diagram" if diagram else "text"
    return trace(name, subject, subject_id, form=form, evidence=evidence)


@app.command(short_help="Place one order, and see what becomes of it.")
def order(
    total: Annotated[str, typer.Argument(metavar="TOTAL")],
    customer: Annotated[int | None, typer.Option(metavar="N", help="Of this customer; without it, of a new one.")] = None,
    limit: Annotated[str | None, typer.Option(metavar="AMOUNT", help="What the new customer may spend; 15.00 without it.")] = None,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Place one order over TOTAL through the gateway, and wait for the end of its saga, 5 s at most."""
    from labkit.commands.order import order

    return order(name, total, customer=customer, limit=limit, as_json=as_json)


@app.command(short_help="Make your folder for the labs.")
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", show_default=False)] = Path("workshop"),
    name: Name = "default",
) -> int:
    """Make a workspace in DIR (default: workshop): an editable copy of the services, notes, and your progress. With --name, every command
    inside it is about that stack."""
    from labkit.commands.init import init

    return init(folder, name)


@app.command(short_help="List the labs, how far you are, what is next.")
def labs(as_json: Json = False) -> int:
    """List the labs with their time, your progress, and what comes next."""
    from labkit.commands.labs import labs

    return labs(as_json=as_json)


@app.command(short_help="Take over what you save, until Ctrl-C.")
def watch(name: Name = "default") -> int:
    """Restart the services whose files you save, as you save them, until Ctrl-C."""
    from labkit.commands.watch import watch

    return watch(name)


@app.command(short_help="Read the guides in the browser.")
def guide(
    number: Annotated[int | None, typer.Argument(metavar="[N]", show_default=False)] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write the page there, and open nothing.")] = None,
) -> int:
    """Open the guides of all labs, or of lab N, as one page that needs no network."""
    from labkit.commands.guide import guide

    return guide(number, to=to)


@app.command(short_help="Say what was passed, how, and when.")
def report(as_json: Json = False) -> int:
    """Show each lab and check of this workspace: passed, passed after the solution or skipped, when, with how many hints, what was
    predicted, and what the last failure was."""
    from labkit.commands.progress import report

    return report(as_json=as_json)


@app.command(short_help="Begin lab N as if those before were done.")
def jump(number: Annotated[int, typer.Argument(metavar="N")], yes: Yes = False, name: Name = "default") -> int:
    """Put stack and workspace where lab N begins, and count the labs before it as skipped. Your files are kept."""
    from labkit.commands.progress import jump

    return jump(name, number, yes=yes)


@app.command(short_help="Undo faults.")
def heal(
    fault: Annotated[str | None, typer.Argument(metavar="[ID]", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them, the last one first.")] = False,
    name: Name = "default",
) -> int:
    """Undo a fault and see that nothing of it is left. Without ID, the only one there is."""
    from labkit.commands.heal import heal

    return heal(name, fault, everything=everything)


@app.command(short_help="Random faults from a seed, judged.")
def chaos(
    seconds: Annotated[float, typer.Option(min=5, help="How long.")] = 30.0,
    seed: Annotated[int | None, typer.Option(help="Repeat a run's faults and load.")] = None,
    rate: Annotated[float, typer.Option(min=1, max=500, help="Orders a second.")] = 30.0,
    victims: Annotated[list[str] | None, typer.Option("--victim", metavar="COMPONENT", help="Only these; may be repeated.")] = None,
    schedule: Annotated[Path | None, typer.Option("--schedule", metavar="FILE", help="Play a schedule that was kept.")] = None,
    shrink: Annotated[bool, typer.Option("--shrink/--no-shrink", help="After a failure, look for a shorter one.")] = True,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Draw faults and load from a seed, heal, wait, and judge. Exit code as of labkit verify: 0 pass, 1 fail, 2 unknown."""
    from labkit.commands.chaos import chaos

    return chaos(name, seconds=seconds, seed=seed, rate=rate, victims=victims or [], kept=schedule, shrinking=shrink, as_json=as_json)


@app.command(short_help="Place orders and measure how fast they finish.")
def load(
    clients: Annotated[int, typer.Option(min=1, help="Clients, each waiting for the end of its order.")] = 16,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Orders a second, instead of clients.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    customers: Annotated[int, typer.Option(min=1, help="How many customers.")] = 100,
    direct: Annotated[bool, typer.Option("--direct", help="Past the gateway.")] = False,
    seed: Annotated[int | None, typer.Option(help="Repeat a run's amounts.")] = None,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Place orders at a rate or with a number of clients; end with sagas a second, latencies and what did not finish."""
    from labkit.commands.load import load

    return load(name, clients=clients, rate=rate, seconds=seconds, customers=customers, direct=direct, as_json=as_json, seed=seed)


@app.command(short_help="Say whether this machine can run a stack.")
def doctor(
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Bring a stack up, run lab 1, take it down.")] = False,
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", help="For this runtime.")] = None,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Look at all that a stack needs, and say what is in the way and the command that fixes it. Changes nothing, unless --rehearse: that
    brings a stack of its own up, runs lab 1 and takes it down again. Exit code 0 ready, 1 not ready, 2 cannot tell."""
    from labkit.commands.doctor import doctor

    return doctor(name, runtime=runtime, rehearse=rehearse, as_json=as_json)


@app.command(short_help="Put what a helper needs to know into one file.")
def support(file: Annotated[Path, typer.Argument(metavar="FILE")], name: Name = "default") -> int:
    """Write one compressed file with the doctor's findings, versions, status, logs, events and the last evidence, without secrets."""
    from labkit.commands.support import support

    return support(name, file)


@app.command(short_help="Ask all stores in one SQL query.")
def sql(
    query: Annotated[str | None, typer.Argument(metavar="QUERY", show_default=False)] = None,
    schema: Annotated[bool, typer.Option("--schema", help="The tables and their columns.")] = False,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    evidence: Annotated[Path | None, typer.Option(metavar="FILE", help="Ask a saved run instead.")] = None,
    name: Name = "default",
) -> int:
    """Ask tables, outboxes, Kafka records, the view and the binlog's changes, as they are now, in one query (DuckDB's SQL)."""
    from labkit.commands.sql import sql

    return sql(name, query, schema=schema, as_json=as_json, as_csv=as_csv, evidence=evidence)


@app.command(short_help="Show the events in Kafka.")
def events(
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    unhandled: Annotated[bool, typer.Option("--unhandled", help="Only those that a subscriber has yet to take.")] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Only so many from the end.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one event a line.")] = False,
    name: Name = "default",
) -> int:
    """Show the events of all topics in the order of their time stamps."""
    from labkit.commands.events import events

    return events(name, follow=follow, unhandled=unhandled, lines=lines, as_json=as_json)


@app.command(short_help="Show what Kafka holds, and who has taken it.")
def topics(
    by_key: Annotated[bool, typer.Option("--by-key", help="Which key is in which partition.")] = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Show each topic's partitions and how far the consumer groups have come."""
    from labkit.commands.topics import topics

    return topics(name, by_key=by_key, as_json=as_json)


@app.command(short_help="Let Tab complete labkit's words.")
def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish")],
    words: Annotated[list[str] | None, typer.Argument(hidden=True, show_default=False)] = None,
) -> int:
    """Print what your shell sources, so that Tab completes commands, options, labs, checks, components, faults and stacks."""
    from labkit.commands.completion import completion

    return completion(shell, words or [], context.find_root().command)


def _version(wanted: bool) -> None:
    if wanted:
        from labkit import __version__, say

        say.line(f"labkit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """A workshop on distributed data: sagas, transactional outbox, idempotent consumers and CQRS, on real servers."""


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    from labkit import ending

    return ending.run(app, arguments)
