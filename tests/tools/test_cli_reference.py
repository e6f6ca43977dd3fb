"""docs/cli.md equals the current output of `make cli-reference`."""

from tools import cli_reference


def test_the_page_is_up_to_date() -> None:
    assert cli_reference.FILE.read_text(encoding="utf-8") == cli_reference.reference(), "run `make cli-reference`"
