"""Stanzas of Debian's control files."""

from jeos.model import deb822

TEXT = "Package: a\nDescription: short\n long \n .\n  end\n# a comment\nno field\nDepends: b,\n c\n"


def test_fields_are_for_reading() -> None:
    assert deb822.fields(TEXT) == {"package": "a", "description": "short\nlong\n.\nend", "depends": "b,\nc"}


def test_written_fields_keep_their_form() -> None:
    assert deb822.written(TEXT) == {"Package": "a", "Description": "short\n long\n .\n  end", "Depends": "b,\n c"}


def test_stanzas_are_divided_by_empty_lines() -> None:
    text = "\nPackage: a\n \t\n\nPackage: b\nX: 1\n\n"
    assert list(deb822.stanzas(text)) == ["Package: a", "Package: b\nX: 1"]
    assert deb822.parse(text) == [{"package": "a"}, {"package": "b", "x": "1"}]


def test_nothing_is_no_stanza() -> None:
    assert deb822.parse("") == deb822.parse("\n \n# only a comment\n") == []
