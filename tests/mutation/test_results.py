"""Results are kept line by line, and a later run goes on with them."""

from pathlib import Path

import pytest

from labkit.mutation.results import CAUGHT, SURVIVED, UNKNOWN, MutantResult, append, path_of, read

ONE = MutantResult("3f2a91c0b7de", "services/orders/app.py", 17, "text changed", CAUGHT, 1, "1.2", 'Order 17 is "PENDING".\n', 3.2)
OTHER = MutantResult("8b0e5f6a1c2d", "services/orders/app.py", 18, "number changed", SURVIVED)


def ended(one: MutantResult, outcome: str) -> MutantResult:
    return MutantResult(one.id, one.path, one.line, one.rule, outcome)


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    file = tmp_path / "not yet there" / "lab-1.jsonl"
    append(file, [ONE])
    append(file, [OTHER])
    assert read(file) == {ONE.id: ONE, OTHER.id: OTHER}


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read(tmp_path / "lab-1.jsonl") == {}


@pytest.mark.parametrize("left", [1, 20, 80])
def test_a_line_that_was_cut_off_is_skipped_and_the_others_count(tmp_path: Path, left: int) -> None:
    file = tmp_path / "lab-1.jsonl"
    append(file, [ONE, OTHER])
    whole = file.read_bytes()
    begin = whole.index(b"\n") + 1
    file.write_bytes(whole[: begin + left])
    assert read(file) == {ONE.id: ONE}


def test_after_a_line_that_was_cut_off_results_are_kept(tmp_path: Path) -> None:
    """labkit was killed while it wrote; the run that goes on must not lose its first result."""
    file = tmp_path / "lab-1.jsonl"
    append(file, [ONE])
    with file.open("ab") as cut:
        cut.write(b'{"id":"8b0e5f6a')
    append(file, [OTHER])
    assert read(file) == {ONE.id: ONE, OTHER.id: OTHER}


def test_the_last_result_of_a_mutant_counts(tmp_path: Path) -> None:
    file = tmp_path / "lab-1.jsonl"
    append(file, [ended(ONE, UNKNOWN), OTHER, ONE])
    assert read(file)[ONE.id] == ONE
    append(file, [ended(ONE, SURVIVED)])
    assert read(file) == {ONE.id: ended(ONE, SURVIVED), OTHER.id: OTHER}


def test_results_are_in_the_folder_that_the_author_names_and_otherwise_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    assert path_of("lab-3", None) == tmp_path / "mutation" / "lab-3.jsonl"
    assert path_of("lab-3", tmp_path / "mine") == tmp_path / "mine" / "lab-3.jsonl"
