import hashlib
import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_host import PATIENCE, HostEnd, agent, start_agent, stop_agent
from jeos.model.frames import (
    CHUNK,
    CONTROL,
    CREDIT,
    STDERR,
    STDIN,
    STDOUT,
    WINDOW,
    Frame,
    Inflow,
    Outflow,
    control,
    credit,
    encode,
    granted,
    message,
)

LARGE = 50 << 20  # bytes


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostEnd]:
    with agent(tmp_path) as end:
        yield end


def memory(pid: int) -> int:
    """Return the peak resident memory of a process, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def agent_pid(host: HostEnd) -> int:
    out, _, _ = host.exec(900, "sh", "-c", "echo $PPID")
    return int(out)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.01)


def test_output_and_status_come_back_apart(host: HostEnd) -> None:
    said = host.exec(1, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert said == (b"out\n", b"err\n", {"event": "exit", "status": 3})


def test_a_signal_is_named(host: HostEnd) -> None:
    assert host.exec(1, "sh", "-c", "kill -KILL $$")[2] == {"event": "exit", "status": 137, "signal": "KILL"}


@pytest.mark.parametrize(
    ("request_", "error", "status"),
    [
        ({"argv": ["no-such-program"]}, "there is no program 'no-such-program' in the guest", 127),
        ({"argv": ["/"]}, "cannot start '/' in the guest: Permission denied", 126),
        ({"argv": []}, "the request names no program", 126),
        ({"argv": ["a\0b"]}, "argv must be a list of texts", 126),
        ({"argv": "ls"}, "argv must be a list of texts", 126),
        ({"argv": ["ls"], "env": {"A=B": "c"}}, "the environment variable 'A=B' is not a text", 126),
        ({"argv": ["ls"], "env": ["A"]}, "env must be an object of texts", 126),
        ({"argv": ["ls"], "user": "no-such-user"}, "there is no user 'no-such-user' in the guest", 126),
        (
            {"argv": ["ls"], "cwd": "/no/such"},
            "cannot enter the folder '/no/such' in the guest: No such file or directory",
            126,
        ),
        ({"do": "dance"}, "the agent does not know the request 'dance'", 126),
    ],
)
def test_a_wrong_request_is_answered_with_an_error(
    host: HostEnd, request_: dict[str, object], error: str, status: int
) -> None:
    host.ask(1, **{"do": "exec", **request_})
    assert host.message(1) == {"event": "error", "error": error, "status": status}
    assert host.exec(2, "true")[2] == {"event": "exit", "status": 0}


def test_environment_and_folder_are_a_logins_with_what_was_asked_for(host: HostEnd) -> None:
    out, _, _ = host.exec(1, "sh", "-c", 'echo "$LANG $A ${SECRET-none}"; pwd', env={"A": "b c"}, cwd="/usr")
    assert out == b"C.UTF-8 b c none\n/usr\n"


def test_signals_that_were_ignored_around_the_agent_are_not_for_its_programs(tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        with agent(tmp_path) as host:
            out, _, _ = host.exec(1, "sed", "-n", "s/^SigIgn:[[:space:]]*//p", "/proc/self/status")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    ours = (*numbers, signal.SIGPIPE, signal.SIGXFSZ)
    assert [number for number in ours if int(out, 16) >> (number - 1) & 1] == []


def test_input_is_read_to_its_end(host: HostEnd) -> None:
    host.ask(1, do="exec", argv=["cat"])
    host.send(encode(Frame(STDIN, 1, b"one ")) + encode(Frame(STDIN, 1, b"two")) + encode(Frame(STDIN, 1)))
    assert host.finish(1) == (b"one two", b"", {"event": "exit", "status": 0})


def test_fifty_megabytes_go_both_ways_in_little_memory(host: HostEnd) -> None:
    pid = agent_pid(host)
    before = memory(pid)
    data = random.Random(1).randbytes(CHUNK)
    sent, received = hashlib.sha256(), hashlib.sha256()
    outflow, inflow = Outflow(), Inflow()
    host.ask(1, do="exec", argv=["cat"])
    left, back, ended = LARGE, 0, False
    while True:
        while left and outflow.left >= len(data):
            host.send(encode(Frame(STDIN, 1, data)))
            sent.update(data)
            outflow.spend(len(data))
            left -= len(data)
        if not left and not ended:
            host.send(encode(Frame(STDIN, 1)))
            ended = True
        frame = host.next(1)
        if frame.kind == CREDIT:
            outflow.grant(granted(frame)[1])
        elif frame.kind == STDOUT:
            received.update(frame.payload)
            back += len(frame.payload)
            assert inflow.receive(len(frame.payload))
            due = inflow.release(len(frame.payload))
            if due:
                host.send(credit(1, STDOUT, due))
        elif frame.kind == CONTROL and message(frame)["event"] == "exit":
            break
    assert back == LARGE
    assert received.digest() == sent.digest()
    assert memory(pid) - before < 4 << 20


def test_a_slow_reader_pauses_its_own_program_only(host: HostEnd) -> None:
    host.ask(1, do="exec", argv=["cat", "/dev/zero"])
    total = 0
    while total < WINDOW:
        frame = host.next(1)
        total += len(frame.payload) if frame.kind == STDOUT else 0
    assert total == WINDOW  # all that there is credit for, and nothing more
    assert host.exec(2, "echo", "still here")[0] == b"still here\n"
    assert [frame for frame in host.frames if frame.channel == 1] == []
    host.ask(1, do="close")
    assert host.exec(3, "true")[2]["status"] == 0


def test_input_beyond_the_window_ends_the_program(host: HostEnd) -> None:
    host.ask(1, do="exec", argv=["sleep", "1000"])
    pid = host.message(1)["pid"]
    assert isinstance(pid, int)
    chunk = bytes(CHUNK)
    for _ in range(2 * WINDOW // CHUNK + 8):  # a window in the agent, and what fits the pipe
        host.send(encode(Frame(STDIN, 1, chunk)))
    assert host.message(1) == {"event": "error", "error": "more input than there was credit for", "status": 126}
    wait_until_gone(pid)


def test_many_programs_run_at_once(host: HostEnd) -> None:
    for channel in range(1, 31):
        host.ask(channel, do="exec", argv=["sh", "-c", f"read line; echo {channel} $line"])
    for channel in range(30, 0, -1):
        host.send(encode(Frame(STDIN, channel, b"hello\n")))
    for channel in range(1, 31):
        assert host.finish(channel)[0] == f"{channel} hello\n".encode()


def test_one_program_too_many_is_refused(host: HostEnd) -> None:
    for channel in range(1, 34):
        host.ask(channel, do="exec", argv=["sleep", "1000"])
    words = "the agent runs 32 programs already, the most it can"
    assert host.message(33) == {"event": "error", "error": words, "status": 126}
    for channel in range(1, 33):  # programs outlive their agent
        pid = host.message(channel)["pid"]
        assert isinstance(pid, int)
        host.ask(channel, do="close")
        wait_until_gone(pid)


def test_a_signal_reaches_the_whole_group(host: HostEnd) -> None:
    host.ask(1, do="exec", argv=["sh", "-c", "sleep 1000 & echo $!; wait"])
    frame = host.next(1)
    while frame.kind != STDOUT:
        frame = host.next(1)
    host.ask(1, do="signal", signal="TERM")
    assert host.finish(1)[2] == {"event": "exit", "status": 143, "signal": "TERM"}
    wait_until_gone(int(frame.payload))


def test_a_closed_channel_hangs_up_its_program(host: HostEnd) -> None:
    host.ask(1, do="exec", argv=["sleep", "1000"])
    pid = host.message(1)["pid"]
    assert isinstance(pid, int)
    host.ask(1, do="close")
    wait_until_gone(pid)


def test_a_program_that_leaves_another_with_its_output_ends(host: HostEnd) -> None:
    said = host.exec(1, "sh", "-c", "sleep 1000 & echo $! ")
    os.kill(int(said[0]), 9)
    assert said[2] == {"event": "exit", "status": 0}


def test_what_a_pipe_still_holds_at_the_end_arrives(host: HostEnd) -> None:
    out, _, event = host.exec(1, "sh", "-c", "head -c 60000 /dev/zero; exit 1")
    assert (len(out), event) == (60000, {"event": "exit", "status": 1})


def test_a_terminal_has_a_size_a_controlling_process_and_one_output(host: HostEnd) -> None:
    out, err, event = host.exec(
        1, "sh", "-c", "stty size; test -t 2 && echo tty >/dev/tty; echo err >&2", tty={"rows": 33, "columns": 111}
    )
    assert (out, err, event) == (b"33 111\r\ntty\r\nerr\r\n", b"", {"event": "exit", "status": 0})


def test_a_terminal_takes_new_sizes_and_interrupts(host: HostEnd) -> None:
    script = "trap 'stty size' WINCH; trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done"
    host.ask(1, do="exec", argv=["sh", "-c", script], tty={"rows": 24, "columns": 80})
    said = b""
    while b"ready" not in said:
        said += host.next(1).payload
    host.ask(1, do="resize", rows=40, columns=100)
    while b"40 100" not in said:
        said += host.next(1).payload
    host.send(encode(Frame(STDIN, 1, b"\x03")))
    out, _, event = host.finish(1)
    assert b"interrupted" in out
    assert event == {"event": "exit", "status": 5}


def test_a_terminals_input_ends(host: HostEnd) -> None:
    host.ask(1, do="exec", argv=["sh", "-c", "stty -echo; echo ready; cat"], tty={"rows": 24, "columns": 80})
    said = b""
    while b"ready" not in said:
        said += host.next(1).payload
    host.send(encode(Frame(STDIN, 1, b"line\n")) + encode(Frame(STDIN, 1)))
    out, _, event = host.finish(1)
    assert (out, event) == (b"line\r\n", {"event": "exit", "status": 0})


def test_a_program_that_takes_no_input_does_not_stop_its_sender(host: HostEnd) -> None:
    host.ask(1, do="exec", argv=["sh", "-c", "exec <&-; echo closed; sleep 1000"])
    frame = host.next(1)
    while frame.kind != STDOUT:
        frame = host.next(1)
    outflow = Outflow()
    for _ in range(40):
        while outflow.left < CHUNK:
            frame = host.next(1)
            assert frame.kind == CREDIT
            outflow.grant(granted(frame)[1])
        host.send(encode(Frame(STDIN, 1, bytes(CHUNK))))
        outflow.spend(CHUNK)
    host.ask(1, do="close")


def test_a_new_host_voids_the_old_ones_channels(tmp_path: Path) -> None:
    with agent(tmp_path) as host:
        host.ask(1, do="exec", argv=["sleep", "1000"])
        pid = host.message(1)["pid"]
        assert isinstance(pid, int)
        host.connection.sendall(control(2, {"do": "exec", "argv": ["sleep", "77"]})[:-20])  # a life that ends mid-word
        heir = HostEnd(host.connection)
        heir.shake_hands()
        wait_until_gone(pid)
        assert heir.exec(1, "echo", "new")[0] == b"new\n"


def test_nothing_is_obeyed_before_the_handshake(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    process = start_agent(theirs, tmp_path)
    theirs.close()
    try:
        mark = tmp_path / "mark"
        ours.sendall(b"\x00garbage\xfe\xfd" + control(1, {"do": "exec", "argv": ["touch", str(mark)]}))
        host = HostEnd(ours)
        host.shake_hands()
        assert host.exec(1, "echo", "hello")[0] == b"hello\n"
        assert not mark.exists()
    finally:
        stop_agent(process)
        ours.close()


def test_garbage_on_the_line_does_not_stop_the_agent(host: HostEnd) -> None:
    noise = random.Random(2)
    for _ in range(50):
        host.send(noise.randbytes(noise.randrange(2000)))
        host.send(encode(Frame(noise.randrange(7), noise.randrange(3), noise.randbytes(20))))
    host.send(b"\xfe")
    assert host.exec(7, "echo", "well")[0] == b"well\n"


def test_the_agent_reports_itself(host: HostEnd) -> None:
    host.ask(5, do="status")
    said = host.message(5)
    assert {key: said[key] for key in ("event", "name", "version")} == {
        "event": "status",
        "name": "test",
        "version": "1",
    }


def test_stderr_has_a_window_of_its_own(host: HostEnd) -> None:
    host.ask(1, do="exec", argv=["sh", "-c", "head -c 300000 /dev/zero & head -c 1000 /dev/zero >&2; wait"])
    seen = {STDOUT: 0, STDERR: 0}
    while seen[STDOUT] < WINDOW or seen[STDERR] < 1000:
        frame = host.next(1)
        if frame.kind in seen:
            seen[frame.kind] += len(frame.payload)
    assert seen == {STDOUT: WINDOW, STDERR: 1000}
