"""Lab 1's checks: green on the reference services, and each fails with its own message when its thing is broken."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import RunningStack

ROOT = Path(__file__).parents[2]


def judged(stack: RunningStack, *checks: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = stack.labkit("lab", "1", "check", *checks, "--json", ok=False)
    return done.returncode, {c["id"]: c for c in json.loads(done.stdout)["checks"]}


def test_all_checks_pass_on_the_reference_services(stack: RunningStack) -> None:
    done = stack.labkit("lab", "1", "check")
    assert [line.split()[:2] for line in done.stdout.splitlines() if line.startswith("  ✓")] == [["✓", f"1.{n}"] for n in range(1, 7)]
    assert "6 passed" in done.stdout


@pytest.fixture
def broken(stack: RunningStack, tmp_path: Path) -> Iterator[Any]:
    """Runs the stack from services in which one text is replaced by another."""
    shutil.copytree(ROOT / "services", tmp_path / "services", ignore=shutil.ignore_patterns("__pycache__"))

    def break_it(file: str, good: str, bad: str) -> None:
        path = tmp_path / "services" / file
        source = path.read_text()
        assert good in source, f"{file} no longer says {good!r}"
        path.write_text(source.replace(good, bad))
        stack.labkit("up", "--services", str(tmp_path))

    yield break_it
    stack.labkit("up", "--services", str(ROOT))


@pytest.mark.both_runtimes
def test_1_1_a_stopped_service_is_named(stack: RunningStack) -> None:
    stack.kill("customers")
    code, checks = judged(stack)
    stack.labkit("up")
    assert code == 1
    assert checks["1.1"]["verdict"] == "fail"
    assert checks["1.1"]["sentence"] == "customers is not running."
    assert checks["1.1"]["found"] == "ended by signal 9"
    assert {checks[f"1.{n}"]["verdict"] for n in range(2, 7)} == {"unknown"}


def test_1_2_a_removed_handler_is_found(stack: RunningStack, broken: Any) -> None:
    broken("customers/handlers.py", "@order_events.handles(OrderCreated)\n", "")
    code, checks = judged(stack, "1.2")
    assert (code, checks["1.2"]["verdict"]) == (1, "fail")
    assert "still PENDING" in checks["1.2"]["sentence"]
    assert checks["1.2"]["found"] == "customers received OrderCreated and answered nothing"


def test_1_3_a_dropped_reason_is_found(stack: RunningStack, broken: Any) -> None:
    broken("orders/handlers.py", "OrderState.REJECTED, reason)", "OrderState.REJECTED)")
    code, checks = judged(stack, "1.3")
    assert (code, checks["1.3"]["verdict"]) == (1, "fail")
    assert "its reason is empty" in checks["1.3"]["sentence"]


def test_1_4_an_unhandled_validation_is_found(stack: RunningStack, broken: Any) -> None:
    broken("orders/handlers.py", "@customer_events.handles(CustomerValidationFailed)\n", "")
    code, checks = judged(stack, "1.4")
    assert (code, checks["1.4"]["verdict"]) == (1, "fail")
    assert checks["1.4"]["found"].endswith("nobody reacts to CustomerValidationFailed")


def test_1_5_a_deleted_reservation_is_found(stack: RunningStack) -> None:
    stack.sql(
        "create trigger order_db.thief after update on order_db.orders for each row"
        " delete from customer_db.customer_credit_reservations where credit_reservations_key = new.id and new.state = 'APPROVED'"
    )
    try:
        code, checks = judged(stack, "1.5")
    finally:
        stack.sql("drop trigger order_db.thief")
    assert (code, checks["1.5"]["verdict"]) == (1, "fail")
    assert "its credit is not reserved" in checks["1.5"]["sentence"]
    assert checks["1.5"]["found"] == "no reservation"


def test_1_6_an_altered_field_of_the_view_is_found(stack: RunningStack, broken: Any) -> None:
    broken("order_history/view.py", ':total": str(order.total)', ':total": str(order.total + 1)')
    code, checks = judged(stack, "1.6")
    assert (code, checks["1.6"]["verdict"]) == (1, "fail")
    assert "has a wrong order:" in checks["1.6"]["sentence"]
    stack.labkit("up", "--services", str(ROOT))
    stack.labkit("reset", "--yes")
