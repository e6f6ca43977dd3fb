"""labkit chaos: the reference survives a random schedule; a broken service is found, and the shrunk schedule finds it again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.running import Labkit, RunningStack, in_soak

BREAKS = "    tx.expect(len(message_ids), ReceivedBefore(subscriber))\n"


def chaos(labkit: Labkit, *arguments: str) -> tuple[int, dict[str, Any]]:
    run = labkit.begin("chaos", *arguments, "--json")
    said, _ = run.communicate(timeout=900)
    assert "\n{" in f"\n{said}", said
    return run.returncode, json.loads(said[f"\n{said}".index("\n{") :])


def survives(stack: RunningStack, seed: int, seconds: int) -> None:
    stack.labkit("reset", "--yes")  # an earlier test may have deleted records, and nothing can be judged without them
    code, found = chaos(stack.labkit, "--seconds", str(seconds), "--seed", str(seed))
    assert (code, found["verdict"]) == (0, "pass"), found["judgement"]
    assert found["fired"] >= len(found["schedule"]["events"]) / 2, found["faults"]
    assert json.loads(stack.labkit("status", "--json", ok=False).stdout)["faults"] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, *in_soak(2)])
def test_nothing_is_lost_in_a_short_run(stack: RunningStack, seed: int) -> None:
    survives(stack, seed, 15)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(1, 11))
def test_nothing_is_lost_in_two_minutes(stack: RunningStack, seed: int) -> None:
    survives(stack, seed, 120)


@pytest.mark.soak
@pytest.mark.docker
@pytest.mark.timeout(600)
def test_a_schedule_survives_whose_gates_are_healed_when_their_service_has_ended(stack: RunningStack) -> None:
    survives(stack, 9004, 40)


@pytest.fixture
def broken(up_with_mistake: Callable[[str, str, str], Labkit]) -> Labkit:
    """A stack whose services write the inbox row in a separate transaction."""
    return up_with_mistake("messaging/inbox.py", BREAKS, BREAKS + '    tx.write("COMMIT")\n    tx.write("BEGIN")\n')


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_an_inbox_in_its_own_transaction_is_found_and_found_again(broken: Labkit) -> None:
    code, found = chaos(broken, "--seconds", "30", "--seed", "1")
    assert (code, found["verdict"]) == (1, "fail")
    assert len(found["shrunk"]["events"]) < len(found["schedule"]["events"])
    for _ in range(5):
        code, again = chaos(broken, "--schedule", found["schedule_file"], "--no-shrink")
        assert (code, again["verdict"]) == (1, "fail")


def test_a_stack_that_is_not_whole_proves_nothing(stack: RunningStack) -> None:
    stack.runtime.kill(["order-history"])
    refused = stack.labkit("chaos", "--seconds", "5", ok=False)
    assert refused.returncode == 2
    assert "order-history: it is not running" in refused.stderr
    stack.labkit("up")


def test_wrong_words_are_told(stack: RunningStack, tmp_path: Path) -> None:
    assert stack.labkit("chaos", "--victim", "nobody", ok=False).returncode == 254
    assert stack.labkit("chaos", "--schedule", str(tmp_path / "none.json"), ok=False).returncode == 254
