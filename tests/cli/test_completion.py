"""Completion scripts know every verb, and the shell can read them."""

import subprocess

import pytest

from jeos.cli import main


def test_bash_completion_knows_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert f"_shtab_jeos_subparsers=({' '.join(main.verbs())})" in script
    subprocess.run(["bash", "-n"], input=script.encode(), check=True)


def test_completion_for_an_unknown_shell_is_wrong_usage() -> None:
    assert main.main(["completion", "powershell"]) == 2
