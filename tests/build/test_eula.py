"""Licences that must be agreed to before a machine runs."""

import sys
from pathlib import Path

import pytest

from jeos.build import eula, load
from jeos.core.errors import InputError, UsageError
from screens import Screen

PATIENCE = 20.0  # seconds
ASK = "import sys; from jeos.cli.run import agrees; sys.exit(0 if agrees('Be \\x1b[2Jkind.\\n') else 4)"


@pytest.fixture
def licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JEOS_STATE_DIR", str(tmp_path / "state"))
    place = tmp_path / "hello_1.0.eula.txt"
    place.write_text("Be kind.\n")
    return place


def test_without_a_terminal_the_error_says_where_it_is_and_how_to_agree(licence: Path) -> None:
    with pytest.raises(UsageError) as caught:
        eula.settle(licence, accept=False, ask=None)
    assert caught.value.message == "this appliance has a licence to agree to"
    assert caught.value.hint == f"read {licence}, then add --accept-eula"


def test_who_does_not_agree_is_asked_again(licence: Path) -> None:
    shown = []

    def ask(text: str) -> bool:
        shown.append(text)
        return len(shown) > 1

    with pytest.raises(UsageError, match="without agreement"):
        eula.settle(licence, accept=False, ask=ask)
    eula.settle(licence, accept=False, ask=ask)
    eula.settle(licence, accept=False, ask=None)
    assert shown == ["Be kind.\n"] * 2


def test_each_text_is_agreed_to_once_wherever_it_is(licence: Path) -> None:
    eula.settle(licence, accept=True, ask=None)
    copy = licence.with_name("hello_2.0.eula.txt")
    copy.write_text("Be kind.\n")
    eula.settle(copy, accept=False, ask=None)
    copy.write_text("Be kind, always.\n")
    with pytest.raises(UsageError):
        eula.settle(copy, accept=False, ask=None)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"\xff", "byte 0 is not UTF-8"), (b"x" * (eula.LONGEST + 1), "longer than 1 MiB")],
)
def test_a_licence_that_cannot_be_shown_is_refused(licence: Path, content: bytes | None, message: str) -> None:
    licence.unlink()
    if content is not None:
        licence.write_bytes(content)
    with pytest.raises(InputError, match=message):
        eula.settle(licence, accept=True, ask=None)


def test_a_recipe_with_a_licence_that_is_no_text_is_refused(licence: Path) -> None:
    (licence.parent / "appliance.toml").write_text('name = "a"\nversion = "1"\neula = "E.txt"\n')
    (licence.parent / "E.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"E\.txt: byte 0 is not UTF-8"):
        load.load(licence.parent)


@pytest.mark.parametrize(("typed", "status"), [(b"y\n", 0), (b"Yes\n", 0), (b"\n", 4), (b"no\n", 4), (b"\x04", 4)])
def test_the_terminal_shows_it_and_takes_only_a_clear_yes(typed: bytes, status: int) -> None:
    screen = Screen([sys.executable, "-c", ASK], rows=24, columns=80)
    screen.until(b"Be kind.\r\n\r\nDo you agree to this licence? [y/N] ", patience=PATIENCE)
    screen.type(typed)
    assert screen.end() == status
