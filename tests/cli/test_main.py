"""The command line as a whole: verbs are found, errors become exit codes, output stays machine-readable."""

import argparse
import errno
import os
import subprocess
import sys
import types
from pathlib import Path

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


def test_version_is_printed_without_a_verb_being_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main, "load", lambda verb: pytest.fail(f"{verb} is loaded"))
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


def test_file_without_rights_is_an_error_of_the_host(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_verb(monkeypatch, PermissionError(errno.EACCES, "Permission denied", "/var/x/file"))
    assert main.main(["fake"]) == 4
    assert capsys.readouterr().err.startswith("error: /var/x/file cannot be used: Permission denied\nhint: ")


def test_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_verb(monkeypatch, OSError(errno.EBADF, "Bad file descriptor"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        main.main(["fake"])


def test_files_are_utf_8_in_every_locale(tmp_path: Path) -> None:
    (tmp_path / "appliance.toml").write_text('name = "über"\nversion = "1"\n', encoding="utf-8")
    (tmp_path / "ü").write_text("", encoding="utf-8")
    env = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    command = [sys.executable, "-m", "jeos", "recipe", "check", str(tmp_path)]
    done = subprocess.run(command, env=env, capture_output=True)
    assert 'name = "über"' in done.stderr.decode()
    assert done.returncode == InputError.exit_code


def test_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_verb(monkeypatch, KeyboardInterrupt())
    assert main.main(["-q", "fake"]) == main.INTERRUPTED


def test_unknown_verb_gets_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["biuld"]) == 2
    assert capsys.readouterr().err == (
        "error: there is no verb biuld\nhint: did you mean build? `jeos --help` lists the verbs\n"
    )


def test_verb_unlike_any_is_not_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["nonsense"]) == 2
    assert capsys.readouterr().err == "error: there is no verb nonsense\nhint: `jeos --help` lists the verbs\n"


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "make a folder with a commented recipe" in said.err


@pytest.mark.parametrize(("words", "first"), [(["help"], "usage: jeos [-h]"), (["help", "stop"], "usage: jeos stop ")])
def test_help_is_a_word_too(words: list[str], first: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(words) == 0
    assert capsys.readouterr().out.startswith(first)


def test_unknown_argument_is_said_by_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["ls", "--colour"]) == 2
    assert capsys.readouterr().err == (
        "usage: jeos ls [-h] [--saved] [--json]\n"
        "error: unknown arguments: --colour\nhint: `jeos ls --help` tells more\n"
    )
