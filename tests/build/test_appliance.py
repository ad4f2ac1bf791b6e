"""Builds that want one output folder at the same time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jeos.build.appliance import alone_in

PATIENCE = 30.0  # seconds
# Says when it is in, and is in as long as its standard input lasts.
INSIDE = """
import sys
from pathlib import Path
from jeos.build.appliance import alone_in
with alone_in(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""


def start(output: Path) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", INSIDE, str(output)]
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )


def test_a_second_build_says_that_it_waits_and_goes_on_after_the_first(tmp_path: Path) -> None:
    first = start(tmp_path / "build")
    assert first.stdout is not None
    assert first.stdout.readline() == "in\n"
    second = start(tmp_path / "build")
    assert second.stderr is not None and second.stdout is not None
    assert second.stderr.readline() == f"another build works in {tmp_path}/build: waiting for its end\n"
    assert first.communicate(timeout=PATIENCE) == ("", "")
    assert second.stdout.readline() == "in\n"
    second.communicate(timeout=PATIENCE)
    assert (first.returncode, second.returncode) == (0, 0)


def test_a_killed_build_keeps_nobody_out(tmp_path: Path) -> None:
    first = start(tmp_path)
    assert first.stdout is not None
    assert first.stdout.readline() == "in\n"
    first.kill()
    first.communicate(timeout=PATIENCE)
    with alone_in(tmp_path):
        pass


def test_builds_in_other_folders_do_not_wait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with alone_in(tmp_path / "one"), alone_in(tmp_path / "two"):
        pass
    assert capsys.readouterr().err == ""
    assert list((tmp_path / "one/logs").iterdir()) == []
