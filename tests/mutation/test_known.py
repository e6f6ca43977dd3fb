"""What somebody found out about a mutant is kept in a file beside what it is about."""

from pathlib import Path

import pytest

from labkit.errors import UserError
from labkit.mutation import known
from labkit.mutation.known import FILE, KnownMutant

ONE = KnownMutant("3f2a91c0b7de", "equivalent", "services/orders/store.py", "-    a\n+    b: # no 'comment'", "the rows come sorted anyway")
OTHER = KnownMutant("000000000017", "not caught", "services/customers/store.py", "-    a", 'nobody reads it: "a", ä')


def changed(one: KnownMutant, an_id: str) -> KnownMutant:
    return KnownMutant(an_id, one.verdict, one.file, one.change, one.why)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    wanted = {one.id: one for one in (ONE, OTHER)}
    known.write(tmp_path, wanted)
    assert known.read(tmp_path) == wanted


@pytest.mark.parametrize("an_id", ["123456789012", "012345670123", "123456e78901", "0b1010101010", "000000000000"])
def test_an_id_that_looks_like_a_number_stays_a_text(tmp_path: Path, an_id: str) -> None:
    known.write(tmp_path, {an_id: changed(ONE, an_id)})
    assert list(known.read(tmp_path)) == [an_id]


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert known.read(tmp_path) == {}


def test_the_file_is_sorted_and_says_who_writes_it(tmp_path: Path) -> None:
    known.write(tmp_path, {ONE.id: ONE, OTHER.id: OTHER})
    first = (tmp_path / FILE).read_text()
    known.write(tmp_path, {OTHER.id: OTHER, ONE.id: ONE})
    assert (tmp_path / FILE).read_text() == first
    assert first.startswith("# Mutants that somebody looked at; written by `labkit author known`.\n")
    assert first.index("customers/store.py") < first.index("orders/store.py")


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("verdict: equivalent", "verdict: equal", r"known-mutants.yaml, line \d+: .*"),
        ("why:", "because:", r"known-mutants.yaml, line \d+: .*because"),
        ("why:", "why: [", r"known-mutants.yaml, line \d+: "),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, good: str, bad: str, said: str) -> None:
    known.write(tmp_path, {ONE.id: ONE})
    text = (tmp_path / FILE).read_text()
    assert good in text
    (tmp_path / FILE).write_text(text.replace(good, bad))
    with pytest.raises(UserError, match=said):
        known.read(tmp_path)
