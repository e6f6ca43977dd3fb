"""Positions in the evidence: wide enough for any broker, sortable, and readable as text."""

from pathlib import Path

from labkit.evidence import database, unconverted
from labkit.evidence.table_files import TableFiles, load, quoted
from labkit.faults.targets import channel
from tests.running import PROFILE

FIRST_OF_TWO = 1_795_792_504_382 << 64  # a position of two 64-bit numbers
POSITIONS = [0, 17, (1 << 63) - 1, FIRST_OF_TWO, FIRST_OF_TWO | 1, FIRST_OF_TWO | (1 << 64) - 1, FIRST_OF_TWO + (1 << 64)]


def write(folder: Path, positions: list[str]) -> None:
    topic = quoted(channel(PROFILE, "order"))
    with TableFiles(folder, ["view_positions"]) as files:
        for partition, position in enumerate(positions):
            files["view_positions"].add(f"{quoted('view')},{topic},{partition},{position}")


def test_positions_of_128_bits_keep_their_values_and_their_order(tmp_path: Path) -> None:
    write(tmp_path, [str(position) for position in reversed(POSITIONS)])
    connection = database.new(profile=PROFILE)
    assert load(connection, tmp_path) == []
    assert connection.execute("SELECT position FROM view_positions ORDER BY position").fetchall() == [(each,) for each in POSITIONS]


def test_what_is_no_position_is_named_and_its_row_stays(tmp_path: Path) -> None:
    write(tmp_path, ["17", quoted("seventeen")])
    connection = database.new(profile=PROFILE)
    reason = unconverted.reason(load(connection, tmp_path), PROFILE)
    assert reason == "column position of view_positions has 'seventeen' in 1 row, which is not a position of the broker's"
    assert connection.execute("SELECT position FROM view_positions ORDER BY partition_no").fetchall() == [(17,), (None,)]


def test_people_see_what_the_broker_calls_a_position() -> None:
    connection = database.new(profile=PROFILE)
    connection.execute("INSERT INTO view_positions (position) VALUES (17), (NULL)")
    shown = connection.execute("SELECT position_text(position), position_words(position) FROM view_positions").fetchall()
    assert shown == [("17", "offset 17"), (None, None)]
