"""Tables on standard output."""

import pytest

from jeos.cli import output


def test_a_table_has_its_header_in_capitals_and_columns_as_wide_as_they_need(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.table([("web", 3), ("database", 12)], header=("name", "Count"), right=(1,))
    assert capsys.readouterr().out == "NAME      COUNT\nweb           3\ndatabase     12\n"


def test_a_table_shows_control_characters_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.table([("\x1b[31mred",)], header=("what",))
    assert "\x1b" not in capsys.readouterr().out
