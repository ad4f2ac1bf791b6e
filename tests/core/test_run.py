"""Starting processes: output, failures that can be pasted, missing programs, time limits."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jeos.core import run
from jeos.core.errors import HostError, ProcessError


def test_run_returns_what_a_program_printed() -> None:
    done = run.run(["sh", "-c", "cat; echo oops >&2"], stdin=b"hello\n")
    assert (done.status, done.text, done.stderr) == (0, "hello", b"oops\n")


def test_run_reports_a_failure_with_a_line_to_paste() -> None:
    with pytest.raises(ProcessError) as caught:
        run.run(["sh", "-c", "echo 'it broke' >&2; exit 3"])
    assert caught.value.message == "sh failed with status 3\n  it broke"
    assert caught.value.hint == "run it by hand: sh -c 'echo '\"'\"'it broke'\"'\"' >&2; exit 3'"


def test_run_without_check_returns_the_status() -> None:
    assert run.run(["sh", "-c", "exit 3"], check=False).status == 3


def test_run_names_the_signal_that_killed_a_program() -> None:
    with pytest.raises(ProcessError) as caught:
        run.run(["sh", "-c", "kill -9 $$"])
    assert caught.value.message == "sh was killed by signal 9"


def test_find_program_that_is_missing_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "PACKAGES", {"no-such-program": "some-package"})
    with pytest.raises(HostError) as caught:
        run.find_program("no-such-program")
    assert caught.value.hint == "sudo apt-get install some-package"


def test_run_ends_a_program_that_takes_too_long() -> None:
    with pytest.raises(ProcessError) as caught:
        run.run(["sleep", "600"], timeout=0.1)
    assert caught.value.message == "sleep did not end within 0.1 s"


def test_children_of_a_killed_process_die_with_it() -> None:
    script = (
        "import sys; from jeos.core import run\n"
        "child = run.spawn(['sleep', '600']); print(child.pid, flush=True); sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}/stat").exists() and _state(child) != "Z" and time.monotonic() < deadline:
        os.sched_yield()
    assert not Path(f"/proc/{child}").exists() or _state(child) == "Z"


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"
