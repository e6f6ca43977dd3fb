"""The learner's loop on a running stack: start, read, predict, inject, hint, solution, watch; and what each refuses."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.catalog import guide
from labkit.commands.lab_inject import filled
from labkit.stack import runtimes, state
from tests.running import wait_until
from tests.workspace.kit import Learner, read_until


@pytest.fixture
def at_home(labkit_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(labkit_home))


def pids(seat: Learner) -> dict[str, int | None]:
    return {c["name"]: c["pid"] for c in json.loads(seat("status", "--json", ok=False).stdout)["components"]}


def customers(seat: Learner) -> int:
    return int(json.loads(seat("sql", "select count(*) as n from customers", "--json").stdout)[0]["n"])


def new_customer(seat: Learner) -> None:
    import httpx

    components = json.loads(seat("status", "--json").stdout)["components"]
    gateway = next(c["endpoint"] for c in components if c["name"] == "gateway")
    body = {"name": "Ada", "creditLimit": {"amount": "15.00"}}
    httpx.post(f"{gateway}/customers", json=body, trust_env=False, timeout=30).raise_for_status()


def test_start_lays_the_lab_empties_the_stores_and_says_so(seat: Learner) -> None:
    new_customer(seat)
    before = pids(seat)
    said = seat("lab", "7", "start").stdout
    assert "Changed in your workspace: saga.yml, services/orders/handlers.py." in said
    assert f"All customers, orders and messages are deleted; the services run from {seat.folder}." in said
    assert said.splitlines()[-1] == "Next: labkit lab 7"
    assert customers(seat) == 0
    after = pids(seat)
    assert all(before[name] == after[name] for name in ("mysql", "kafka", "redis", "gateway"))
    assert before["orders"] != after["orders"]
    assert "7  Mend the orders" in seat("labs").stdout
    assert seat("labs").stdout.splitlines()[-1] == "Next: labkit lab 7"
    new_customer(seat)
    seat.write("services/orders/handlers.py", seat.read("services/orders/handlers.py") + "\n# edited\n")
    again = seat("lab", "7", "start").stdout
    assert again.startswith("You are already in lab 7, so nothing was changed.")
    assert again.splitlines()[-1] == "Next: labkit lab 7"
    assert customers(seat) == 1
    assert seat.read("services/orders/handlers.py").endswith("# edited\n")


def test_a_failure_is_played_held_and_compared_with_the_prediction(seat: Learner) -> None:
    seat("lab", "7", "reset", "--yes")
    new_customer(seat)
    assert seat("lab", "7", "read").stdout.splitlines()[-1] == "Next: labkit lab 7 predict 7.2"
    asked = seat("lab", "7", "predict", "--answer", "2").stdout
    assert "In which state is the order while customers is held?" in asked
    assert "nobody has answered yet" not in asked
    assert seat("lab", "7").stdout.splitlines()[-1] == "Next: labkit lab 7 inject 7.2"
    said = seat("lab", "7", "inject", "--seed", "3").stdout
    assert "played (seed 3), and nothing was judged" in said
    assert "held        customers waits before each message" in said
    look = [line.split("look", 1)[1].strip() for line in said.splitlines() if line.strip().startswith("look")]
    assert len(look) == 2
    assert "predicted   APPROVED" in said
    assert "it is       PENDING\n" in said
    trace = seat(*look[0].split()[1:], ok=False)
    assert "PENDING" in trace.stdout
    assert seat("lab", "7", "read").stdout.splitlines()[-1] == "Next: labkit lab 7 check 7.2"
    assert json.loads(seat("status", "--json").stdout)["faults"]
    assert "Nothing of it is left" in seat("heal").stdout


def test_a_failure_that_cannot_be_played_leaves_nothing(seat: Learner) -> None:
    seat("lab", "7", "reset", "--yes")  # and no customer 1
    done = seat("lab", "7", "inject", "7.2", ok=False)
    assert (seat.folder / ".labkit/progress.json").exists()
    if done.returncode:  # an order of an unknown customer may still be accepted
        assert not json.loads(seat("status", "--json").stdout)["faults"]
    seat("heal", "--all", ok=False)


def test_inject_takes_over_edits_and_refuses_what_it_cannot_play(seat: Learner) -> None:
    seat("lab", "7", "reset", "--yes")
    new_customer(seat)
    seat.write("services/customers/handlers.py", seat.read("services/customers/handlers.py") + "\n# edited\n")
    assert "Restarted customers with your files." in seat("lab", "7", "inject").stdout
    seat("heal")
    done = seat("lab", "7", "inject", "7.3", ok=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (254, "Next: labkit lab 7 inject 7.2")
    done = seat("lab", "1", "inject", "1.8", ok=False)
    assert done.returncode == 254


@pytest.mark.usefixtures("at_home")
def test_restart_takes_the_edited_files_of_the_workspace(seat: Learner) -> None:
    seat("lab", "7", "reset", "--yes")
    seat.write("services/orders/handlers.py", seat.read("services/orders/handlers.py") + "\nprint('edited', flush=True)\n")
    seat("restart", "orders")
    assert "edited" in seat("logs", "orders").stdout
    found = state.find(seat.labkit.name)
    assert found is not None
    assert found.source == seat.folder


def test_watch_takes_over_on_save_and_waits_for_what_does_not_work(seat: Learner) -> None:
    seat("lab", "7", "reset", "--yes")
    with seat.begun("watch") as process:
        read_until(process, "Watching")
        good = seat.read("services/orders/handlers.py")
        seat.write("services/orders/handlers.py", good + "\nsyntax error\n")
        read_until(process, "orders ended at once: SyntaxError in services/orders/handlers.py, line ")
        seat.write("services/orders/handlers.py", good + "\n# mended\n")
        assert "restarted orders" in read_until(process, "ready in")
        process.send_signal(signal.SIGINT)
        read_until(process, "No longer watching.")
        assert process.wait(60) == 0


def test_jump_begins_a_lab_as_if_those_before_were_done(seat: Learner) -> None:
    seat("jump", "8", "--yes")
    assert "lab 8's" in seat.read("services/order_history/view.py")
    labs = {lab["number"]: lab["state"] for lab in json.loads(seat("labs", "--json").stdout)}
    assert labs[7] == "skipped"
    assert labs[8] == "started"


def test_a_lab_that_was_never_started_is_not_judged(learner: Learner) -> None:
    done = learner("lab", "7", "check", ok=False)
    assert done.returncode == 254
    assert done.stderr.splitlines() == ["Lab 7 was not started here, so nothing is judged.", "Next: labkit lab 7 start"]
    assert not (learner.folder / ".labkit/progress.json").exists()


@pytest.mark.parametrize("command", ["start", "predict", "inject", "hint", "solution", "restore", "reset"])
def test_outside_a_workspace_the_next_step_is_init(learner: Learner, tmp_path: Path, command: str) -> None:
    outside = Learner(learner.labkit, learner.kit, tmp_path)
    done = outside("lab", "7", command, ok=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"You are not in a workspace ({tmp_path})."
    assert done.stderr.splitlines()[-1].startswith("Next: labkit init workshop")


def test_init_makes_an_editable_copy_once(learner: Learner, tmp_path: Path) -> None:
    desk = Learner(learner.labkit, learner.kit, tmp_path)
    learner.write("services/orders/handlers.py", "mine\n")
    said = desk("init", "workshop").stdout
    assert "is already a workspace; none of its files was touched" in said
    assert learner.read("services/orders/handlers.py") == "mine\n"
    (learner.folder / ".labkit/workspace.json").write_text("{")
    broken = learner("labs", ok=False)
    assert broken.returncode == 1
    assert "labkit init" in broken.stderr.splitlines()[-1]
    assert "is your workspace again" in desk("init", "workshop").stdout
    learner("labs")
    assert learner.read("services/orders/handlers.py") == "mine\n"


def test_init_refuses_what_is_somebody_elses(learner: Learner, tmp_path: Path) -> None:
    desk = Learner(learner.labkit, learner.kit, tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    done = desk("init", "full", ok=False)
    assert "is not empty: it has thesis.txt" in done.stderr
    assert list((tmp_path / "full").iterdir()) == [tmp_path / "full" / "thesis.txt"]
    assert "is inside the workspace" in learner("init", "inner", ok=False).stderr


def test_an_init_that_was_interrupted_is_done_again(learner: Learner, tmp_path: Path) -> None:
    desk = Learner(learner.labkit, learner.kit, tmp_path)
    half = tmp_path / "half"
    (half / ".labkit").mkdir(parents=True)
    (half / "services").mkdir()
    (half / "services/__init__.py").write_bytes((learner.kit / "services/__init__.py").read_bytes())
    desk("init", "half")
    assert (half / "services/orders/handlers.py").is_file()
    (tmp_path / "theirs/.labkit").mkdir(parents=True)
    (tmp_path / "theirs/services").mkdir()
    (tmp_path / "theirs/services/__init__.py").write_text("# somebody's\n")
    assert "is not empty" in desk("init", "theirs", ok=False).stderr


def test_inside_a_workspace_every_command_is_about_its_stack(learner: Learner, tmp_path: Path) -> None:
    environment = {name: value for name, value in learner.labkit._environment().items() if name != "LABKIT_NAME"}
    done = subprocess.run(
        [sys.executable, "-m", "labkit", "status"],
        cwd=learner.folder / "services",
        env={**environment, "PYTHONPATH": str(learner.kit)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines() == ["There is no stack 'own'.", "Next: labkit up"]


def test_predict_refuses_an_answer_that_is_none_and_asks_nobody_without_a_terminal(learner: Learner) -> None:
    assert learner("lab", "7", "predict", "--answer", "4", ok=False).returncode == 254
    done = learner("lab", "7", "predict", ok=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (254, "Next: labkit lab 7 predict 7.2 --answer NUMBER")
    assert "has no questions" in learner("lab", "7", "predict", "7.3").stdout
    assert "has no step 7.9" in learner("lab", "7", "predict", "7.9", ok=False).stderr


def test_hints_come_one_by_one_and_are_counted(learner: Learner) -> None:
    shown = [learner("lab", "7", "hint").stdout for _ in range(4)]
    assert ["Look at the trace." in text for text in shown] == [False, True, True, True]
    assert "That was the last one." in shown[2]
    assert shown[2] == shown[3]
    assert json.loads((learner.folder / ".labkit/progress.json").read_text())["labs"]["7"]["hints"] == {"7.2": 3}


def test_the_guide_is_read_whole_or_step_by_step_and_as_a_page(learner: Learner, tmp_path: Path) -> None:
    whole = learner("lab", "7").stdout
    assert whole.index("this lab begins") < whole.index("7.2 Hold an order") < whole.index("7.3 and 7.1 What is left")
    assert "https://microservices.io/patterns/data/saga.html" in whole
    one = learner("lab", "7", "read", "7.1").stdout
    assert "What is left" in one
    assert "this lab begins" not in one
    assert "has no step 7.9" in learner("lab", "7", "read", "7.9", ok=False).stderr
    learner("guide", "7", "--to", str(tmp_path / "guide.html"))
    page = (tmp_path / "guide.html").read_text()
    assert "<h2>7.2 Hold an order</h2>" in page
    assert "<td>handler</td>" in page
    assert not [part for part in page.split('"') if part.startswith("http") and "microservices.io" not in part]


def test_a_heading_in_a_code_block_begins_no_section(kit: Path) -> None:
    found = guide.split((kit / "labs/07-a-lab/guide.md").read_text())
    assert [(section.title, section.ids) for section in found] == [
        ("Mend the orders", ()),
        ("7.2 Hold an order", ("7.2",)),
        ("7.3 and 7.1 What is left", ("7.3", "7.1")),
    ]


def test_the_tour_shows_the_learners_own_file_and_line(at_lab_7: Learner) -> None:
    said = at_lab_7("lab", "7", "tour").stdout
    lines = at_lab_7.read("services/orders/handlers.py").splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "# TODO: this is lab 7's" in line)
    assert f"1 of 2  services/orders/handlers.py:{number}\n" in said
    assert "This is what to repair." in said
    at_lab_7.write("services/orders/handlers.py", "all mine\n")
    assert "labs/07-a-lab/starter/services/orders/handlers.py:" in at_lab_7("lab", "7", "tour").stdout


def test_the_solution_is_shown_as_files_and_as_a_difference(at_lab_7: Learner) -> None:
    shown = at_lab_7("lab", "7", "solution").stdout
    assert "── services/orders/handlers.py" in shown
    difference = at_lab_7("lab", "7", "solution", "--diff").stdout
    assert "-MINE = 1" in difference
    assert "--- yours/services/orders/handlers.py" in difference
    assert at_lab_7("lab", "7", "solution", "--diff", "--apply", ok=False).returncode == 254


def test_looking_commands_are_filled_with_what_the_failure_returned() -> None:
    assert filled('labkit sql "select * from orders where id = {order}"', {"order": 7}) == 'labkit sql "select * from orders where id = 7"'
    assert filled("labkit trace order {other}", {"order": 7}) == "labkit trace order {other}"


@pytest.mark.parametrize("columns", ["40", "110"])
def test_on_a_terminal_the_guide_is_read_section_by_section(learner: Learner, columns: str) -> None:
    with learner.terminal("lab", "7", columns=columns) as screen:
        assert screen.shows("Section 1 of 3. ")
        assert not screen.shows("What is left", wait=False)
        screen.types("nine")
        assert screen.shows("There is no step 'nine' in this guide.")
        screen.types("7.3")
        assert screen.shows("Section 3 of 3. ")
        assert not screen.shows("Close the gate", wait=False)
        screen.types("b")
        assert screen.shows("Section 2 of 3. ")
        screen.types("q")
        assert screen.shows("Next: labkit lab 7 start")
    with learner.terminal("lab", "7", columns=columns) as screen:
        assert screen.shows("Section 2 of 3. ")
        assert not screen.shows("Section 1 of 3. ", wait=False)
        screen.types("q")
        assert screen.shows("Next: labkit lab 7 start")


@pytest.mark.usefixtures("at_home")
def test_the_stack_runs_from_the_workspace_once_it_is_up(seat: Learner) -> None:
    found = state.find(seat.labkit.name)
    assert found is not None
    assert found.source == seat.folder
    wait_until(lambda: runtimes.of_stack(found).runs("gateway"), "the gateway runs")
