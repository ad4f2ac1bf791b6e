"""The command line as a whole: verbs are found, errors become exit codes, output stays machine-readable."""

import argparse
import errno
import types

import pytest

import jeos
from jeos.cli import main
from jeos.core.errors import InputError


def fake_verb(monkeypatch: pytest.MonkeyPatch, error: BaseException | None) -> None:
    def run(args: argparse.Namespace) -> int:
        if error:
            raise error
        return 0

    module = types.SimpleNamespace(HELP="does it", configure=lambda parser: None, run=run)
    monkeypatch.setattr(main, "verbs", lambda: ["fake"])
    monkeypatch.setattr(main, "load", lambda verb: module)


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out == f"jeos {jeos.__version__}\n"


def test_error_is_printed_with_its_hint_and_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_verb(monkeypatch, InputError("the recipe is odd", hint="make it even"))
    assert main.main(["fake"]) == InputError.exit_code
    assert capsys.readouterr().err == "error: the recipe is odd\nhint: make it even\n"


def test_full_disk_is_an_error_of_the_host(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fake_verb(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/var/x/file"))
    assert main.main(["fake"]) == 4
    assert capsys.readouterr().err.startswith("error: no room left on the disk that holds /var/x\nhint: ")


def test_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_verb(monkeypatch, KeyboardInterrupt())
    assert main.main(["-q", "fake"]) == main.INTERRUPTED


def test_unknown_verb_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["nonsense"]) == 2
    assert "invalid choice: 'nonsense'" in capsys.readouterr().err
