"""A real agent behind a real relay; a socket server stands where QEMU's chardev is. No VM."""

import asyncio
import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from agent_host import PATIENCE, start_agent, stop_agent
from jeos.model.machine import Channel
from jeos.vm import relay
from jeos.vm.vsock import Vsock


class Chardev:
    """What QEMU does with `-chardev socket,server=on,wait=off` and a virtio-serial port: one client, bytes to and fro.

    What a client sends while no agent has the port open waits, as in QEMU.
    """

    def __init__(self, place: Path, folder: Path) -> None:
        self.place = place
        self.folder = folder
        self.agent: subprocess.Popen[bytes] | None = None
        self.line: socket.socket | None = None
        self.client: socket.socket | None = None
        self._ends = threading.Event()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(place))
        self._server.listen(1)
        threading.Thread(target=self._accept, daemon=True).start()

    def plug(self, **about: object) -> None:
        """Start an agent at the port."""
        line, theirs = socket.socketpair()
        self.agent = start_agent(theirs, self.folder, **about)
        theirs.close()
        self.line = line
        threading.Thread(target=self._to_client, args=(line,), daemon=True).start()

    def kill_agent(self) -> None:
        """Let the agent die in the middle of whatever it does."""
        assert self.agent is not None and self.line is not None
        stop_agent(self.agent)
        line, self.line = self.line, None
        line.close()

    def close(self) -> None:
        self._ends.set()
        self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._server.close()
        if self.client is not None:
            with contextlib.suppress(OSError):
                self.client.shutdown(socket.SHUT_RDWR)
        if self.line is not None:
            self.kill_agent()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._ends.is_set():
                client, _ = self._server.accept()
                self.client = client
                self._to_agent(client)

    def _to_agent(self, client: socket.socket) -> None:
        while data := self._receive(client):
            while self.line is None and not self._ends.is_set():
                time.sleep(0.002)
            with contextlib.suppress(OSError, AttributeError):  # the agent dies with what it has not read
                self.line.sendall(data)  # type: ignore[union-attr]

    @staticmethod
    def _receive(client: socket.socket) -> bytes:
        try:
            return client.recv(65536)
        except OSError:
            return b""

    def _to_client(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := line.recv(65536):
                if self.client is not None:
                    self.client.sendall(data)


class Line:
    """A chardev with an agent, a relay in a thread, and the events that it told."""

    def __init__(self, folder: Path, *, haste: float = 1.0, vsock: Vsock | None = None) -> None:
        self.port = folder / "port.sock"
        self.guest = folder / "guest.sock"
        self.events: list[Mapping[str, object]] = []
        self.chardev = Chardev(self.port, folder)
        self.ways: list[Channel] = []
        self._haste = haste
        self._vsock = vsock
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        async def main() -> None:
            self._task = asyncio.current_task()
            with contextlib.suppress(asyncio.CancelledError):
                await relay.serve(
                    self.port,
                    self.guest,
                    on_event=self.events.append,
                    on_way=self.ways.append,
                    vsock=self._vsock,
                    haste=self._haste,
                )

        self._loop.run_until_complete(main())

    def close(self) -> None:
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self._loop.close()
        self.chardev.close()
