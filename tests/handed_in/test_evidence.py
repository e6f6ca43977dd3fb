"""An evidence file from elsewhere: a different structure is refused; any content leads to a verdict, and no other file is read."""

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from labkit.commands.verify import verify
from labkit.errors import ExitCode, UserError
from labkit.evidence import database

EVIDENCE = {
    "a table is missing": ("DROP TABLE inbox", "inbox"),
    "a column is missing": ("ALTER TABLE faults DROP COLUMN target", "faults.target"),
    "another type": ("ALTER TABLE faults ALTER target TYPE BLOB", "faults.target"),
    "a view in a table's place": ("DROP TABLE inbox; CREATE VIEW inbox AS SELECT * FROM read_text('/etc/passwd')", "inbox"),
    "a format that is none": ("UPDATE facts SET value = 'x' WHERE name = 'format'", "no format"),
    "a later format": ("UPDATE facts SET value = '99' WHERE name = 'format'", "newer labkit"),
    "no facts": ("DROP TABLE facts", "facts"),
    "not finished": ("DELETE FROM facts WHERE name = 'finished'", "not finished"),
}


@pytest.mark.parametrize("case", EVIDENCE)
def test_evidence_of_another_shape_is_told(case: str, tmp_path: Path) -> None:
    path = tmp_path / "e.duckdb"
    with closing(database.new(path)) as connection:
        connection.execute("DROP VIEW changes; DROP VIEW own_records; DROP VIEW first_records; DROP VIEW credit")
        database.finish(connection)
        connection.execute(EVIDENCE[case][0])
    with pytest.raises(UserError, match=EVIDENCE[case][1]) as told:
        database.open_file(path)
    assert told.value.exit_code is ExitCode.UNKNOWN


def test_views_in_evidence_read_no_files_and_odd_values_end_in_unknown(tmp_path: Path) -> None:
    path, secret = tmp_path / "e.duckdb", tmp_path / "secret"
    secret.write_text("the secret")
    with closing(database.new(path)) as connection:
        connection.execute(f"CREATE VIEW theirs AS SELECT * FROM read_text('{secret}')")
        connection.execute("INSERT INTO facts VALUES ('started', 'soon'), ('ended', '\x1b'), ('run', '{'), ('seed', 'x')")
        connection.execute(
            "INSERT INTO environment (component, event, happened) VALUES ('orders', 'end', 'infinity'), (NULL, 'x', '-infinity')"
        )
        connection.execute("INSERT INTO completeness VALUES ('rest', NULL, NULL, NULL), (NULL, true, 'x', 'y')")
        database.finish(connection)
    with closing(database.open_file(path)) as opened, pytest.raises(duckdb.Error):
        opened.execute("SELECT * FROM theirs").fetchall()
    with pytest.raises(UserError, match="cannot be judged") as told:
        verify("none", json_wanted=True, html=None, evidence=path, save=None)
    assert told.value.exit_code is ExitCode.UNKNOWN
    for data in (b"", b"x" * 5000, b"SQLite format 3\0" + bytes(5000), path.read_bytes()[:5000]):
        path.write_bytes(data)
        with pytest.raises(UserError):
            database.open_file(path)
