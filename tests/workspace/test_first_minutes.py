"""A newcomer's first minutes on a running stack: one order, a store's prompt, questions, and the next step."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import wait_until
from tests.workspace.kit import Learner
from tests.workspace.test_loop import customers, new_customer

APP = "services/orders/app.py"


@pytest.fixture(autouse=True)
def nothing_left_set(seat: Learner) -> Iterator[None]:
    yield
    seat("heal", "--all", ok=False)


def last_line(said: str) -> str:
    return said.splitlines()[-1]


def test_one_order_is_placed_and_told(seat: Learner) -> None:
    said = seat("order", "12.34").stdout.splitlines()
    assert re.fullmatch(r'Customer \d+ "Ada" may spend 15.00\.', said[0])
    placed = re.fullmatch(r"Order (\d+) for 12.34 of customer (\d+): APPROVED after \d\.\d\d s\.", said[1])
    assert placed is not None, said
    assert said[2] == f"Next: labkit trace order {placed[1]} --name {seat.labkit.name}"
    again = json.loads(seat("order", "12.34", "--customer", placed[2], "--json").stdout)
    assert (again["customer"], again["total"], again["state"]) == (int(placed[2]), "12.34", "REJECTED")
    assert json.loads(seat("order", "12.34", "--limit", "12.33", "--json").stdout)["state"] == "REJECTED"
    assert "of customer 999999: REJECTED" in seat("order", "1.00", "--customer", "999999").stdout


@pytest.mark.parametrize("total", ["ten", "1.005", "nan", "1e30"])
def test_what_is_no_amount_is_wrong_usage(seat: Learner, total: str) -> None:
    done = seat("order", total, ok=False)
    assert (done.returncode, last_line(done.stderr)) == (254, "Next: labkit order 12.34")


@pytest.mark.parametrize("path", [None, "/nowhere"], ids=["own client", "no client"])
def test_a_store_opens_its_prompt_at_this_stacks_port(seat: Learner, path: str | None) -> None:
    elsewhere = {} if path is None else {"PATH": path}
    port = next(c["endpoint"] for c in json.loads(seat("status", "--json").stdout)["components"] if c["name"] == "redis").rpartition(":")[2]
    asked = seat("shell", "redis", ok=True, typed="CONFIG GET port\n", **elsewhere)
    assert port in asked.stdout, asked.stdout + asked.stderr
    asked = seat("shell", "mysql", ok=True, typed="select 40 + 2 as answer;\n", **elsewhere)
    assert re.search(r"\b42\b", asked.stdout), asked.stdout + asked.stderr


def test_kafka_has_a_prompt_and_says_what_it_takes(seat: Learner) -> None:
    asked = seat("shell", "kafka", typed="topics\nnonsense\nexit\n")
    assert "Customer" in asked.stdout
    assert "'nonsense' is not a command here" in asked.stderr


def test_redis_cli_in_a_shell_reaches_this_stack(seat: Learner) -> None:
    pid = next(c["pid"] for c in json.loads(seat("status", "--json").stdout)["components"] if c["name"] == "redis")
    asked = seat("shell", "redis", "--sh", typed="command -v redis-cli\nredis-cli info server\nexit\n")
    assert asked.stdout.splitlines()[0] == str(seat.labkit.directory / "bin/redis-cli"), "not one that goes to 6379"
    assert f"process_id:{pid}" in asked.stdout, asked.stdout + asked.stderr


def test_start_asks_before_it_empties_stores(seat: Learner) -> None:
    seat("lab", "7", "reset", "--yes")
    new_customer(seat)
    mine = seat.read(APP) + "\n# mine\n"
    seat.write(APP, mine)
    said = seat.at_terminal("lab", "8", "start", answer="")
    assert "This deletes all customers, orders and messages of the stack" in said
    assert "Nothing was changed." in said
    assert (customers(seat), seat.read(APP)) == (1, mine)
    said = seat.at_terminal("lab", "8", "start", answer="y")
    assert "All customers, orders and messages are deleted" in said
    assert customers(seat) == 0
    assert "[y/N]" not in seat.at_terminal("lab", "7", "start", answer="y"), "empty stores are no loss"


def test_start_asks_before_it_takes_another_workspaces_stack(seat: Learner, tmp_path: Path) -> None:
    Learner(seat.labkit, seat.kit, tmp_path)("init", "other")
    other = Learner(seat.labkit, seat.kit, tmp_path / "other")
    said = " ".join(other.at_terminal("lab", "7", "start", answer="n").split())
    assert f"belongs to the workspace {seat.folder}." in said
    assert "Nothing was changed." in said
    assert str(seat.folder) in seat("status").stdout.replace("\n", "")


def test_down_with_its_data_asks(seat: Learner) -> None:
    assert "This deletes all data of the stack" in (said := seat.at_terminal("down", "--data", answer="n"))
    assert "Nothing was changed." in said
    assert json.loads(seat("status", "--json").stdout)["ready"]


def test_a_deleted_file_is_named_with_the_way_back(seat: Learner) -> None:
    seat("lab", "7", "reset", "--yes")
    (seat.folder / APP).unlink()
    done = seat("restart", "orders", ok=False)
    assert f"{APP} is missing" in done.stderr.splitlines()[0], done.stderr
    assert last_line(done.stderr) == f"Next: labkit lab 7 restore {APP}, then run the same command again"
    assert f"{APP} is as the lab provides it." in seat("lab", "7", "restore", APP).stdout
    seat("restart", "orders")


def test_status_tells_what_starts_from_what_waits(seat: Learner) -> None:
    def state(component: str) -> str:
        return str(next(c["state"] for c in json.loads(seat("status", "--json", ok=False).stdout)["components"] if c["name"] == component))

    seat("restart", "gateway")
    seat("fault", "stop", "orders")
    assert (state("orders"), state("gateway"), state("customers")) == ("stopped", "starting", "running")
    wait_until(lambda: state("gateway") == "not ready", "gateway has run for too long to be starting")
    assert "gateway is not ready: orders is down" in seat("status", ok=False).stdout.replace("\n", " ")
    seat("heal")


def test_a_check_that_fails_again_asks_whether_the_edit_is_saved(seat: Learner) -> None:
    """A check that passed before and fails now keeps the lab open."""
    seat("lab", "1", "start", "--yes")
    unsaved = "No file has changed since the last check. Is your edit saved?"
    first = seat("lab", "1", "check", "1.8", ok=False).stdout
    assert "Stuck? labkit lab 1 hint 1.8" in first
    assert unsaved not in first
    assert unsaved in seat("lab", "1", "check", "1.8", ok=False).stdout
    starter = seat.read(APP)
    seat("lab", "1", "solution", "--apply", "--yes")
    done = seat("lab", "1", "check", "1.8").stdout
    assert "Lab 1 is done.\nNext: labkit lab 7" in done
    assert "\nNext: labkit lab 7" in seat("guide", "1", "--to", "guide.html").stdout, "this guide is read, and not all labs are done"
    seat.write(APP, starter)
    assert unsaved not in seat("lab", "1", "check", "1.8", ok=False).stdout
    assert "1 of 1 passed, 1.8 fails now" in seat("labs").stdout
    assert last_line(seat("labs").stdout) == "Next: labkit lab 1"


def test_in_the_clone_a_pass_says_that_exercises_begin_with_a_workspace(seat: Learner) -> None:
    clone = Learner(seat.labkit, seat.kit, seat.kit)
    said = clone("lab", "1", "check", "1.1").stdout
    assert "These are labkit's own services, with every exercise done. To write your own, make a workspace." in said
    assert "labkit init workshop" in said.splitlines()[-1]
    seat("lab", "7", "reset", "--yes")


def test_up_prints_commands_that_work(seat: Learner) -> None:
    said = seat("up").stdout
    command = said[said.index("  curl ") :].partition("\n\n")[0]
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert "customerId" in json.loads(done.stdout)
    assert re.search(r"^In the browser: http://127\.0\.0\.1:\d+/swagger-ui/index\.html$", said, re.MULTILINE)


def test_logs_are_for_people_and_on_demand_for_programs(seat: Learner) -> None:
    order = json.loads(seat("order", "12.34", "--json").stdout)["order"]
    shown = seat("logs", "customers").stdout
    assert re.search(rf"^\d\d:\d\d:\d\d\.\d\d\d  OrderCreated {order} +reserve_credit +\d+ ms  [0-9a-f-]+$", shown, re.MULTILINE), shown[
        -2000:
    ]
    assert not [line for line in shown.splitlines() if line.startswith("{")]
    said = [json.loads(line) for line in seat("logs", "customers", "--json").stdout.splitlines()]
    assert any(line["component"] == "customers" and line.get("handler") == "reserve_credit" for line in said)


def test_the_doctor_of_a_healthy_stack_does_not_bring_it_up(seat: Learner) -> None:
    assert last_line(seat("doctor", ok=False).stdout) == "Next: labkit labs"


def test_a_terminal_of_ascii_prints_everything(seat: Learner) -> None:
    seat("order", "12.34")
    for command in (("labs",), ("status",), ("lab", "7"), ("trace", "customer", "1")):
        done = seat(*command, ok=False, PYTHONIOENCODING="ascii")
        assert done.returncode in (0, 1), done.stderr
        assert done.stdout.isascii()
