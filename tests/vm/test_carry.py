"""`jeos exec` and `jeos shell` as processes with real pipes and terminals, and a real agent behind a real relay."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_host import PATIENCE
from relay_line import Line
from screens import Screen

# What the verbs do once they have found the machine's socket.
CARRY = """
import sys
from pathlib import Path
from jeos.vm.attach import raw_terminal
from jeos.vm.carry import carry, terminal_size
from jeos.vm.guest import Guest

with Guest(Path(sys.argv[1])) as guest:
    terminal = sys.argv[2] == "tty"
    program = guest.start(sys.argv[3:], terminal=terminal_size() if terminal else None, env={"TERM": "dumb"})
    if terminal:
        with raw_terminal():
            sys.exit(carry(guest, program, terminal=True).status)
    sys.exit(carry(guest, program, terminal=False).status)
"""


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    found = Line(tmp_path)
    found.chardev.plug()
    yield found
    found.close()


def command(line: Line, *argv: str, terminal: bool = False) -> list[str]:
    return [sys.executable, "-c", CARRY, str(line.guest), "tty" if terminal else "pipe", *argv]


def test_pipes_and_status_pass_through(line: Line) -> None:
    argv = command(line, "sh", "-c", "cat; echo err >&2; exit 7")
    done = subprocess.run(argv, input=b"some input", capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"some input", b"err\n")


def test_a_large_file_passes_through_a_slow_pipe(line: Line) -> None:
    script = " ".join(_quoted(word) for word in command(line, "cat")) + " | (read x; cat) | wc -c"
    data = b"first line\n" + bytes(8 << 20)
    assert subprocess.run(["sh", "-c", script], input=data, capture_output=True).stdout.strip() == b"8388608"


def test_a_signal_reaches_the_program(line: Line) -> None:
    argv = command(line, "sh", "-c", "trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.02; done")
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == b"got it\n"
    assert process.wait(PATIENCE) == 9
    process.stdout.close()


def test_third_interrupt_leaves_a_guest_that_does_not_answer(line: Line) -> None:
    process = subprocess.Popen(command(line, "sh", "-c", "echo on; sleep 1000"), stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"on\n"
    agent = line.chardev.agent
    assert agent is not None
    agent.send_signal(signal.SIGSTOP)
    try:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None:  # signals of one kind that come at once are one
            assert time.monotonic() < deadline
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
    finally:
        agent.send_signal(signal.SIGCONT)
        process.stdout.close()
    # One more signal may come while Python ends, and takes its end over: to a shell both are 130.
    assert process.returncode in (128 + signal.SIGINT, -signal.SIGINT)


def test_nobody_who_reads_ends_the_program(line: Line) -> None:
    script = (
        " ".join(_quoted(word) for word in command(line, "sh", "-c", "echo $$; exec cat /dev/zero")) + " | head -n 1"
    )
    done = subprocess.run(["sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    pid = int(done.stdout)
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_terminal_works_and_comes_back_as_it_was(line: Line) -> None:
    argv = command(line, "sh", "-c", "stty size; read a; stty size; exit 3", terminal=True)
    shell = f"{' '.join(_quoted(word) for word in argv)}; echo status $?; stty -a"
    screen = Screen(["sh", "-c", f"stty -a | head -n 1; read x; {shell}"], rows=30, columns=90)
    screen.until(b"speed", patience=PATIENCE)
    screen.resize(rows=30, columns=90)
    screen.type(b"\n")
    screen.until(b"30 90", patience=PATIENCE)
    screen.resize(rows=31, columns=91)
    screen.type(b"x\n")
    screen.until(b"31 91", patience=PATIENCE)
    assert screen.end() == 0
    assert b"status 3" in screen.said
    assert b" icanon " in screen.said.rpartition(b"status 3")[2]  # line by line again


def test_a_terminal_without_a_size_is_as_large_as_the_environment_says(line: Line) -> None:
    unknown = {name: value for name, value in os.environ.items() if name not in ("LINES", "COLUMNS")}
    for given, size in (({}, b"24 80"), ({"LINES": "40", "COLUMNS": "132"}, b"40 132"), ({"LINES": "x"}, b"24 80")):
        screen = Screen(
            command(line, "stty", "size", terminal=True), rows=0, columns=0, environment={**unknown, **given}
        )
        assert screen.end() == 0
        assert screen.said.split(b"\r\n")[0] == size


def test_a_size_that_changes_before_the_program_starts_is_not_missed(line: Line) -> None:
    late = CARRY.replace("    if terminal:\n        with", "    resize()\n    if terminal:\n        with").replace(
        "import sys",
        "import fcntl, struct, sys, termios\n"
        "def resize(): fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 99, 0, 0))",
        1,
    )
    argv = [sys.executable, "-c", late, str(line.guest), "tty", "sh", "-c"]
    screen = Screen([*argv, "until stty size | grep 99; do sleep 0.01; done"], rows=30, columns=90)
    screen.until(b"33 99", patience=PATIENCE)
    assert screen.end() == 0


def test_keys_that_interrupt_go_to_the_guest(line: Line) -> None:
    screen = Screen(
        command(line, "sh", "-c", "trap 'exit 6' INT; echo ready; while :; do sleep 0.02; done", terminal=True),
        rows=24,
        columns=80,
    )
    screen.until(b"ready", patience=PATIENCE)
    screen.type(b"\x03")
    assert screen.end() == 6


def test_three_times_the_key_leaves_a_program_that_hangs(line: Line) -> None:
    screen = Screen(
        command(line, "sh", "-c", "stty raw -echo; echo ready; exec sleep 1000", terminal=True), rows=24, columns=80
    )
    screen.until(b"ready", patience=PATIENCE)
    screen.type(b"\x1d\x1dx\x1d\x1d\x1d")
    assert screen.end() == 129


def _quoted(word: str) -> str:
    escaped = word.replace("'", "'\\''")
    return f"'{escaped}'"
