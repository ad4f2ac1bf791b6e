"""A real agent in a process of its own, and the host's end of its line, for tests: no VM, no relay."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jeos.model.frames import CONTROL, HELLO, STDERR, STDOUT, Decoder, Frame, Inflow, Link, control, credit, message

PATIENCE = 120.0  # seconds until a test has failed; hosts are busy


class HostEnd:
    """Speaks to an agent over a socket, without asyncio, one call at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.decoder = Decoder()
        self.frames: list[Frame] = []
        self.link = Link(os.urandom(16).hex())
        self.connection.settimeout(PATIENCE)

    def shake_hands(self) -> None:
        self.connection.sendall(self.link.hello())
        while not self.link.linked:
            self._read()

    def send(self, encoded: bytes) -> None:
        self.connection.sendall(encoded)

    def ask(self, channel: int, **request: object) -> None:
        self.send(control(channel, request))

    def next(self, channel: int) -> Frame:
        """Return the next frame of a channel."""
        deadline = time.monotonic() + PATIENCE
        while True:
            for place, frame in enumerate(self.frames):
                if frame.channel == channel:
                    return self.frames.pop(place)
            assert time.monotonic() < deadline, "the agent said nothing"
            self._read()

    def message(self, channel: int) -> dict[str, object]:
        """Return the next JSON message of a channel, skipping everything else on it."""
        while True:
            frame = self.next(channel)
            if frame.kind == CONTROL:
                return message(frame)

    def finish(self, channel: int) -> tuple[bytes, bytes, dict[str, object]]:
        """Return what a program prints until its end, and how it ends; give credit on the way."""
        said = {STDOUT: bytearray(), STDERR: bytearray()}
        inflows = {STDOUT: Inflow(), STDERR: Inflow()}
        while True:
            frame = self.next(channel)
            if frame.kind in said:
                said[frame.kind] += frame.payload
                assert inflows[frame.kind].receive(len(frame.payload)), "the agent sent more than it had credit for"
                due = inflows[frame.kind].release(len(frame.payload))
                if due:
                    self.send(credit(channel, frame.kind, due))
            elif frame.kind == CONTROL and message(frame).get("event") != "started":
                return bytes(said[STDOUT]), bytes(said[STDERR]), message(frame)

    def exec(self, channel: int, *argv: str, **more: object) -> tuple[bytes, bytes, dict[str, object]]:
        self.ask(channel, do="exec", argv=list(argv), **more)
        return self.finish(channel)

    def _read(self) -> None:
        data = self.connection.recv(65536)
        assert data, "the agent has gone"
        for frame in self.decoder.feed(data):
            if frame.kind == HELLO:
                reply = self.link.hear(frame).reply
                if reply:
                    self.send(reply)
            else:
                self.frames.append(frame)


def start_agent(connection: socket.socket, folder: Path, **about: object) -> subprocess.Popen[bytes]:
    """Start an agent on a connection; `about` is its appliance.json."""
    described = folder / "appliance.json"
    described.write_text(json.dumps({"name": "test", "version": "1", "health": [], **about}))
    number = str(connection.fileno())
    options = ["--descriptor", number, "--appliance", str(described), "--socket", str(folder / "agent.sock")]
    argv = [sys.executable, "-m", "jeos.agent", "daemon", *options]
    return subprocess.Popen(argv, pass_fds=(connection.fileno(),))


def stop_agent(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


@contextmanager
def agent(folder: Path, **about: object) -> Iterator[HostEnd]:
    """Run an agent and yield the host's end of its line, with hands shaken."""
    ours, theirs = socket.socketpair()
    process = start_agent(theirs, folder, **about)
    theirs.close()
    try:
        host = HostEnd(ours)
        host.shake_hands()
        yield host
    finally:
        ours.close()
        stop_agent(process)
