"""`jeos exec` and `jeos shell` as processes with real pipes and terminals, and a real agent behind a real relay."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_host import PATIENCE
from relay_line import Line

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


class Screen:
    """A process on a terminal of its own."""

    def __init__(self, argv: list[str], *, rows: int, columns: int) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)
        self.resize(rows=rows, columns=columns)
        self.said = b""

    def resize(self, *, rows: int, columns: int) -> None:
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, text: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.said:
            ready, _, _ = select.select([self.terminal], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, self.said
            try:
                self.said += os.read(self.terminal, 4096)
            except OSError:
                raise AssertionError(self.said) from None

    def type(self, text: bytes) -> None:
        os.write(self.terminal, text)

    def end(self) -> int:
        """Return the exit status; whatever is still said is taken in."""
        while True:
            try:
                data = os.read(self.terminal, 4096)
            except OSError:
                break
            if not data:
                break
            self.said += data
        _, status = os.waitpid(self.pid, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


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
    assert process.returncode == 128 + signal.SIGINT


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
    screen.until(b"speed")
    screen.resize(rows=30, columns=90)
    screen.type(b"\n")
    screen.until(b"30 90")
    screen.resize(rows=31, columns=91)
    screen.type(b"x\n")
    screen.until(b"31 91")
    assert screen.end() == 0
    assert b"status 3" in screen.said
    assert b" icanon " in screen.said.rpartition(b"status 3")[2]  # line by line again


def test_keys_that_interrupt_go_to_the_guest(line: Line) -> None:
    screen = Screen(
        command(line, "sh", "-c", "trap 'exit 6' INT; echo ready; while :; do sleep 0.02; done", terminal=True),
        rows=24,
        columns=80,
    )
    screen.until(b"ready")
    screen.type(b"\x03")
    assert screen.end() == 6


def test_three_times_the_key_leaves_a_program_that_hangs(line: Line) -> None:
    screen = Screen(
        command(line, "sh", "-c", "stty raw -echo; echo ready; exec sleep 1000", terminal=True), rows=24, columns=80
    )
    screen.until(b"ready")
    screen.type(b"\x1d\x1dx\x1d\x1d\x1d")
    assert screen.end() == 129


def _quoted(word: str) -> str:
    escaped = word.replace("'", "'\\''")
    return f"'{escaped}'"
