"""The relay between real clients and a real agent; a socket server stands where QEMU's chardev is."""

import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_host import PATIENCE, start_agent, stop_agent
from jeos.core.errors import MachineError
from jeos.model.frames import CHUNK, CONTROL, STDIN, STDOUT, Frame, control, encode, message
from jeos.model.machine import Channel
from jeos.vm import relay
from jeos.vm.guest import Ended, Guest, Program, StartError, Terminal
from jeos.vm.vsock import Vsock
from relay_line import Line

LARGE = 50 << 20  # bytes
WELL = [{"name": "always", "command": "true"}]  # health checks


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    found = Line(tmp_path)
    yield found
    found.close()


@pytest.fixture
def guest(line: Line) -> Iterator[Guest]:
    line.chardev.plug(health=WELL)
    with Guest(line.guest, deadline=PATIENCE) as found:
        yield found


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def follow(guest: Guest, program: Program, *, to: bytes = b"") -> tuple[bytes, Ended | None]:
    """Return what a program prints up to a text (or to its end), and how it ended."""
    said = bytearray()
    while True:
        ended = program.take(lambda stream, data: said.extend(data))
        if ended is not None or (to and to in said):
            return bytes(said), ended
        guest.receive()


def states(line: Line) -> list[object]:
    return [event["state"] for event in line.events]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_program_runs_with_input_and_status(guest: Guest) -> None:
    ended = guest.exec(["sh", "-c", "cat; echo err >&2; exit 4"], stdin=b"hello", deadline=PATIENCE)
    assert ended == Ended(4, "", b"hello", b"err\n")


def test_a_killed_program_says_by_what(guest: Guest) -> None:
    assert guest.exec(["sh", "-c", "kill -SEGV $$"], deadline=PATIENCE) == Ended(139, "SEGV")


def test_a_missing_program_has_a_shells_status(guest: Guest) -> None:
    with pytest.raises(StartError) as caught:
        guest.exec(["no-such-program"])
    assert (caught.value.message, caught.value.exit_code) == ("there is no program 'no-such-program' in the guest", 127)


def test_a_missing_program_with_an_endless_name_costs_no_agent(guest: Guest) -> None:
    with pytest.raises(StartError, match="cannot start"):
        guest.exec(["é" * 10_000])
    assert guest.exec(["echo", "well"], deadline=PATIENCE).stdout == b"well\n"


def test_fifty_megabytes_come_back_the_same(guest: Guest) -> None:
    data = random.Random(3).randbytes(LARGE)
    assert guest.exec(["cat"], stdin=data, deadline=PATIENCE) == Ended(0, "", data)


def test_status_and_health_are_answered(guest: Guest) -> None:
    assert guest.status()["name"] == "test"
    said = guest.health(deadline=PATIENCE)
    assert said == {"event": "health", "state": "healthy", "reasons": []}


def test_waiting_ends_when_the_guest_is_healthy(guest: Guest, line: Line) -> None:
    assert guest.wait("healthy", deadline=PATIENCE)["version"] == "1"
    assert states(line)[-1] == "healthy"
    with Guest(line.guest) as late:
        assert late.wait("healthy", deadline=PATIENCE)["state"] == "healthy"


def test_waiting_ends_with_the_reasons_of_a_guest_that_is_not_well(line: Line) -> None:
    checks = [{"name": "web", "command": "echo no database; false", "within": 0, "interval": 0.01}]
    line.chardev.plug(health=checks)
    with Guest(line.guest, deadline=PATIENCE) as guest:
        guest.wait("unhealthy", deadline=PATIENCE)
        with pytest.raises(MachineError) as caught:
            guest.wait("healthy", deadline=0.01)
    assert caught.value.message == "the guest is unhealthy, not healthy, after 0.01 s\n  web: no database"


def test_many_clients_share_the_port(line: Line) -> None:
    line.chardev.plug()
    said: dict[int, bytes] = {}

    def work(number: int) -> None:
        with Guest(line.guest, deadline=PATIENCE) as guest:
            data = bytes([number]) * 500_000
            said[number] = guest.exec(["cat"], stdin=data, deadline=PATIENCE).stdout

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert said == {number: bytes([number]) * 500_000 for number in range(10)}


def test_a_client_that_does_not_read_holds_nobody_up(guest: Guest, line: Line) -> None:
    guest.start(["cat", "/dev/zero"])
    with Guest(line.guest) as other:
        data = bytes(2 << 20)
        assert other.exec(["cat"], stdin=data, deadline=PATIENCE).stdout == data


def test_a_killed_client_leaves_nothing_running(guest: Guest, line: Line) -> None:
    dying = Guest(line.guest)
    program = dying.start(["sh", "-c", "echo $$; exec sleep 1000"])
    said, _ = follow(dying, program, to=b"\n")
    assert running(int(said))
    dying.close()
    until(lambda: not running(int(said)))
    assert guest.exec(["true"], deadline=PATIENCE).status == 0


def test_a_program_is_lost_with_its_agent_and_the_next_one_runs(guest: Guest, line: Line) -> None:
    program = guest.start(["sleep", "1000"])
    line.chardev.kill_agent()
    line.chardev.plug()
    with pytest.raises(MachineError) as caught:
        follow(guest, program)
    assert caught.value.message == "the guest's agent was restarted"
    assert guest.exec(["echo", "again"], deadline=PATIENCE).stdout == b"again\n"
    assert "absent" in states(line)
    assert states(line)[-1] != "absent"


def test_an_agent_that_dies_within_a_frame_does_no_harm(guest: Guest, line: Line) -> None:
    program = guest.start(["cat", "/dev/zero"])
    guest.receive()
    assert line.chardev.client is not None
    line.chardev.kill_agent()
    line.chardev.client.sendall(encode(Frame(STDOUT, 1, bytes(1000)))[:500])  # its last words
    line.chardev.plug()
    with pytest.raises(MachineError, match="was restarted"):
        follow(guest, program)
    assert guest.exec(["echo", "again"], deadline=PATIENCE).stdout == b"again\n"


def test_what_was_asked_of_a_dead_agent_is_not_done_by_the_next(guest: Guest, line: Line, tmp_path: Path) -> None:
    guest.wait("starting", deadline=PATIENCE)
    line.chardev.kill_agent()
    guest.send(control(77, {"do": "exec", "argv": ["touch", str(tmp_path / "mark")]}))
    line.chardev.plug()
    until(lambda: "absent" in states(line) and states(line)[-1] != "absent")
    assert guest.take_frames(77) == []
    assert guest.exec(["echo", "x"], deadline=PATIENCE).stdout == b"x\n"
    [lost] = guest.take_frames(77)
    assert message(lost)["lost"] is True
    assert not (tmp_path / "mark").exists()


def test_an_agent_that_ends_says_so_and_nothing_is_asked_of_it_any_more(guest: Guest, line: Line) -> None:
    guest.wait("healthy", deadline=PATIENCE)
    assert line.chardev.agent is not None
    line.chardev.agent.send_signal(signal.SIGTERM)
    assert guest.wait("stopping", deadline=PATIENCE)["state"] == "stopping"
    with pytest.raises(MachineError, match="did not answer"):
        guest.start(["true"], deadline=0.05)
    line.chardev.kill_agent()
    line.chardev.plug()
    assert guest.exec(["echo", "next"], deadline=PATIENCE).stdout == b"next\n"


def test_without_an_agent_the_error_says_so(line: Line) -> None:
    with Guest(line.guest, deadline=PATIENCE) as guest:
        assert guest.state == {}
        with pytest.raises(MachineError) as caught:
            guest.start(["true"], deadline=0.05)
    words = "the guest's agent did not answer after 0.05 s\n  the agent does not answer"
    assert caught.value.message == words


def test_without_a_relay_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        Guest(tmp_path / "guest.sock", deadline=0)
    assert caught.value.message == f"no machine listens at {tmp_path / 'guest.sock'}"


def test_a_client_learns_that_the_machine_stopped(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.chardev.plug()
    with Guest(line.guest, deadline=PATIENCE) as guest:
        program = guest.start(["sleep", "1000"])
        line.close()
        with pytest.raises(MachineError):
            follow(guest, program)


def test_garbage_from_guest_and_client_is_survived(guest: Guest, line: Line) -> None:
    noise = random.Random(4)
    guest.wait("starting", deadline=PATIENCE)
    assert line.chardev.client is not None
    for _ in range(50):
        line.chardev.client.sendall(noise.randbytes(500))
        channel = noise.choice((0, 2, 5, 8))  # the first is that of the program, which this may reach late
        line.chardev.client.sendall(encode(Frame(noise.randrange(6), channel, noise.randbytes(9))) + b"\xfe")
        guest.send(noise.randbytes(500) + encode(Frame(noise.randrange(6), noise.randrange(9), noise.randbytes(9))))
    guest.send(b"\xfe")
    assert guest.exec(["echo", "well"], deadline=PATIENCE).stdout == b"well\n"


def test_what_a_state_says_is_bounded_and_obeyed_by_no_terminal(guest: Guest, line: Line) -> None:
    guest.wait("healthy", deadline=PATIENCE)
    assert line.chardev.client is not None
    hostile = [
        {"event": "state", "state": "healthy", "reasons": ["\x1b]0;mine\x07a\nb\ud800", 7, "é" * 10_000]},
        {"event": "state", "state": "healthy", "reasons": ["x"] * 5000, "more": "\x1b"},
        {"event": "state", "state": 1},
        {"event": "noise", "text": "\x1b[2J"},
    ]
    for said in hostile:
        line.chardev.client.sendall(
            encode(Frame(CONTROL, 0, json.dumps(said, ensure_ascii=said is hostile[0]).encode()))
        )
    line.chardev.client.sendall(encode(Frame(CONTROL, 0, b'{"event":"state","state":"healthy","reasons":["last"]}')))
    until(lambda: line.events[-1].get("reasons") == ["last"])
    assert line.events[-3:-1] == [
        {"event": "state", "state": "healthy", "reasons": ["a b?", "é" * 300]},
        {"event": "state", "state": "healthy", "reasons": ["x"] * 20},
    ]
    assert guest.exec(["echo", "well"], deadline=PATIENCE).stdout == b"well\n"


def test_an_agent_that_falls_silent_is_absent_until_it_speaks_again(tmp_path: Path) -> None:
    line = Line(tmp_path, haste=0.01)
    try:
        line.chardev.plug(health=[{"name": "always", "command": "true"}])
        with Guest(line.guest, deadline=PATIENCE) as guest:
            program = guest.start(["cat"])
            guest.wait("healthy", deadline=PATIENCE)
            assert line.chardev.agent is not None
            line.chardev.agent.send_signal(signal.SIGSTOP)
            assert guest.wait("absent", deadline=PATIENCE)["reasons"] == ["the agent has not answered for 40 s"]
            line.chardev.agent.send_signal(signal.SIGCONT)
            guest.wait("healthy", deadline=PATIENCE)
            program.write(b"still here\n")  # what was under way goes on
            assert follow(guest, program, to=b"here\n")[0] == b"still here\n"
    finally:
        line.close()


def test_an_agent_that_has_nothing_to_say_is_not_given_up(tmp_path: Path) -> None:
    line = Line(tmp_path, haste=0.02)
    try:
        line.chardev.plug(health=[{"name": "always", "command": "true"}])
        with Guest(line.guest, deadline=PATIENCE) as guest:
            guest.wait("healthy", deadline=PATIENCE)
            with pytest.raises(MachineError, match="the guest is healthy, not absent"):
                guest.wait("absent", deadline=2 * relay.LOST_SECONDS * 0.02)
    finally:
        line.close()


def test_one_connection_has_a_limit_of_channels(guest: Guest) -> None:
    for _ in range(relay.MOST_CHANNELS):
        guest.start(["sleep", "1000"])
    with pytest.raises(StartError, match="at most 8 channels"):
        guest.start(["sleep", "1000"])


def test_a_terminal_is_a_terminal_through_the_relay(guest: Guest) -> None:
    program = guest.start(["sh", "-c", "stty size; read x; stty size"], terminal=Terminal(rows=20, columns=70))
    follow(guest, program, to=b"20 70\r\n")
    program.resize(Terminal(rows=21, columns=71))
    program.write(b"\n")
    said, ended = follow(guest, program)
    assert said.endswith(b"21 71\r\n")
    assert ended == Ended(0)


def test_a_request_that_is_too_long_is_refused(guest: Guest) -> None:
    with pytest.raises(MachineError) as caught:
        guest.exec(["echo", "x" * 100_000])
    assert caught.value.hint == "pass long input through a pipe"


def test_input_without_credit_is_not_sent(guest: Guest) -> None:
    program = guest.start(["sleep", "1000"])
    sent = 0
    while count := program.write(bytes(CHUNK)):
        sent += count
    assert (sent, program.may_write, STDIN) == (4 * CHUNK, 0, STDIN)
    program.close()


def test_the_socket_is_its_owners_alone(guest: Guest, line: Line) -> None:
    assert os.stat(line.guest).st_mode & 0o777 == 0o600


class Door:
    """A socket at which an agent calls, as over vsock; its callers are those whose turn it is in `callers`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.callers = folder, [False, True, True]
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / "door"))
        self._listening.listen(1)
        self._listening.setblocking(False)
        self.vsock = Vsock(cid=7, device=os.open(os.devnull, os.O_RDONLY), door=self._listening)
        monkeypatch.setattr(relay, "is_agent", lambda caller, *, cid: cid == 7 and self.callers.pop(0))

    def call(self) -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(PATIENCE)
        line.connect(str(self.folder / "door"))
        return line


def test_an_agent_that_calls_over_vsock_is_served_there_until_it_hangs_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(tmp_path, monkeypatch)
    line = Line(tmp_path, vsock=door.vsock)
    try:
        line.chardev.plug(health=WELL)
        with Guest(line.guest, deadline=PATIENCE) as guest:
            guest.wait("healthy", deadline=PATIENCE)
            assert line.ways == [Channel.SERIAL]
            with door.call() as stranger:
                assert stranger.recv(1) == b""
            assert guest.status()["name"] == "test"
            with door.call() as called:
                agent = start_agent(called, tmp_path, name="over-vsock", health=WELL)
            until(lambda: line.ways == [Channel.SERIAL, Channel.VSOCK])
            guest.wait("healthy", deadline=PATIENCE)
            assert guest.exec(["echo", "well"], deadline=PATIENCE).stdout == b"well\n"
            assert guest.status()["name"] == "over-vsock"
            stop_agent(agent)
            until(lambda: line.ways == [Channel.SERIAL, Channel.VSOCK, Channel.SERIAL])
            assert guest.status()["name"] == "test"
    finally:
        line.close()
        door.vsock.close()
