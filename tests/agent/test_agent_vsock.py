"""The agent's way to its host: over vsock where the host waits there, and over the port once that is lost."""

import errno
import os
import socket
import tty
from pathlib import Path

import pytest

from agent_host import PATIENCE
from jeos.agent import vsock
from jeos.agent.appliance import read
from jeos.agent.daemon import VSOCK_SECONDS, Daemon


class Ways:
    """A host that waits for the call, and a terminal in the place of the virtio port."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.fails = 0  # the error of a call
        self.ours, self._theirs = socket.socketpair()
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.place = os.ttyname(self.slave)
        self.lost = False
        monkeypatch.setattr(vsock, "port", lambda: 0 if self.lost else 5000)
        monkeypatch.setattr(vsock, "call", self._call)
        monkeypatch.setattr(vsock, "note_loss", self._note_loss)
        self.daemon = Daemon(appliance=read(str(folder / "none")))

    def _call(self, port: int) -> int:
        assert port == 5000
        self.calls += 1
        if self.fails:
            raise OSError(self.fails, os.strerror(self.fails))
        return os.dup(self._theirs.fileno())

    def _note_loss(self) -> None:
        self.lost = True

    def hang_up(self) -> None:
        self._theirs.close()
        self.ours.close()

    def serial(self) -> bytes:
        """Return what the agent says on the port."""
        return os.read(self.master, 65536)


@pytest.fixture
def ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(tmp_path, monkeypatch)


def test_agent_calls_where_the_host_waits_and_takes_the_port_once_that_is_lost(ways: Ways) -> None:
    ways.daemon.await_port(ways.place)
    ways.ours.settimeout(PATIENCE)
    assert b'"protocol"' in ways.ours.recv(65536)
    ways.hang_up()
    while not ways.lost:
        ways.daemon.loop.turn()
    ways.daemon.loop.turn()
    assert b'"protocol"' in ways.serial()
    assert ways.calls == 1


def test_agent_waits_for_the_driver_of_vsock_but_not_for_ever(ways: Ways) -> None:
    ways.fails = errno.ENODEV
    ways.daemon.await_port(ways.place)
    ways.daemon.await_port(ways.place, seconds=60.0 - VSOCK_SECONDS / 2)
    os.set_blocking(ways.master, False)
    with pytest.raises(BlockingIOError):
        ways.serial()
    ways.daemon.await_port(ways.place, seconds=60.0 - VSOCK_SECONDS)
    os.set_blocking(ways.master, True)
    assert b'"protocol"' in ways.serial()


@pytest.mark.parametrize("error", [errno.ECONNRESET, errno.ETIMEDOUT, errno.EAFNOSUPPORT])
def test_agent_takes_the_port_at_once_where_nobody_answers_over_vsock(ways: Ways, error: int) -> None:
    ways.fails = error
    ways.daemon.await_port(ways.place)
    assert b'"protocol"' in ways.serial()


def test_port_of_the_host_is_what_the_hypervisor_says_until_the_line_was_lost(tmp_path: Path) -> None:
    credentials, run = tmp_path / "credentials", tmp_path / "run"
    credentials.mkdir()
    run.mkdir()
    where = {"credentials": str(credentials), "run": str(run)}
    assert vsock.port(**where) == 0
    (credentials / vsock.CREDENTIAL).write_text("0000001234")
    assert vsock.port(**where) == 1234
    vsock.note_loss(run=str(run))
    assert vsock.port(**where) == 0


@pytest.mark.parametrize("said", ["", "somewhere", "\u00e9"])
def test_port_of_the_host_is_none_if_what_is_said_is_no_number(tmp_path: Path, said: str) -> None:
    (tmp_path / vsock.CREDENTIAL).write_text(said)
    assert vsock.port(credentials=str(tmp_path), run=str(tmp_path)) == 0
