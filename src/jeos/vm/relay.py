"""Lets many clients share the one port to a guest's agent, which QEMU offers to one client only.

    await serve(port, listen, on_event=print)

Each client speaks `jeos.model.frames` with channel ids of its own; the relay gives each channel an id of the port's and
back again, and otherwise passes frames on. Windows are kept end to end, between client and agent, so what can wait in
the relay is bounded by them; a client that lets more wait than that allows is cut off. A client that goes leaves
nothing running: its channels are closed in the guest.

The relay outlives QEMU's resets and the agent's restarts: it answers what was under way with an error, and goes on.
On channel 0 it passes the agent's events to everybody, and remembers the last state for whoever comes later. While no
agent answers, the state is "absent".
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from jeos.model.frames import CONTROL, HELLO, Decoder, Frame, Link, control, encode, message

READ_SIZE = 64 << 10  # bytes
MOST_CHANNELS = 8  # of one client
CLIENT_BACKLOG = 4 << 20  # bytes that may wait for a client: MOST_CHANNELS windows of two streams, all stuffing
PORT_BACKLOG = 4 << 20  # bytes that may wait for the guest before the relay starts afresh
PORT_HIGH = 512 << 10  # bytes that may wait for the guest before clients are not read any more
RETRY_SECONDS = 0.2  # between attempts to reach QEMU
NEVER_FINAL = ("started",)  # what an agent says on a channel that stays open
ABSENT: Mapping[str, object] = {"event": "state", "state": "absent", "reasons": ["the agent does not answer"]}
REQUESTS = ("exec", "status", "health", "poweroff", "reboot")

OnEvent = Callable[[Mapping[str, object]], None]


async def serve(port: Path, listen: Path, *, on_event: OnEvent) -> None:
    """Relay between the guest behind QEMU's socket `port` and the clients of the socket `listen`, until cancelled.

    `on_event` gets the agent's events, and a state "absent" when the agent is lost. Only the owner can connect.
    """
    relay = Relay(on_event=on_event)
    listen.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(relay.serve_client, sock=_private_socket(listen))
    try:
        while True:
            with contextlib.suppress(OSError):
                await relay.follow_port(port)
            await asyncio.sleep(RETRY_SECONDS)
    finally:
        server.close()
        await relay.drop_clients()
        listen.unlink(missing_ok=True)


def _private_socket(place: Path) -> socket.socket:
    """Return a socket bound to a place, its owner's alone from its first moment."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        bound.bind(os.fspath(place))
    finally:
        os.umask(before)
    return bound


class Client:
    """One connection of the command line; `channels` are the port's ids by the client's."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.channels: dict[int, int] = {}

    def send(self, data: bytes) -> None:
        """Pass data on to the client, or cut it off if it has let too much wait."""
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > CLIENT_BACKLOG:
            self.drop()

    def drop(self) -> None:
        """End the connection without waiting for what it has not read."""
        self._writer.transport.abort()


class Relay:
    """The port, the clients, and which channel of the port belongs to whom."""

    def __init__(self, *, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._clients: set[Client] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._owners: dict[int, tuple[Client, int]] = {}
        self._last_channel = 0
        self._state: Mapping[str, object] = ABSENT
        self._link: Link | None = None
        self._port: asyncio.StreamWriter | None = None

    # The side of the guest.

    async def follow_port(self, port: Path) -> None:
        """Serve one connection to the port to its end. Raises OSError if there is none."""
        reader, writer = await asyncio.open_unix_connection(port)
        writer.transport.set_write_buffer_limits(high=PORT_HIGH)
        decoder = Decoder()
        self._link = Link(os.urandom(16).hex())
        self._port = writer
        writer.write(self._link.hello())
        try:
            while data := await reader.read(READ_SIZE):
                for frame in decoder.feed(data):
                    self._hear(frame, self._link, writer)
                if writer.transport.get_write_buffer_size() > PORT_BACKLOG:
                    return  # a guest that makes us answer and does not listen
        finally:
            self._link = self._port = None
            self._lose("the machine's port was closed")
            writer.transport.abort()

    def _hear(self, frame: Frame, link: Link, writer: asyncio.StreamWriter) -> None:
        if frame.kind == HELLO:
            was_linked = link.linked
            heard = link.hear(frame)
            if heard.reset and was_linked:
                self._lose("the guest's agent was restarted")
            if heard.reply:
                writer.write(heard.reply)
        elif link.linked and frame.channel == 0:
            self._pass_event(frame)
        elif link.linked:
            self._pass_to_client(frame)

    def _pass_event(self, frame: Frame) -> None:
        event = message(frame) if frame.kind == CONTROL else {}
        if event.get("event") == "state":
            self._state = event
        if event:
            self._tell(event)

    def _tell(self, event: Mapping[str, object]) -> None:
        self._on_event(event)
        for client in list(self._clients):
            client.send(control(0, dict(event)))

    def _pass_to_client(self, frame: Frame) -> None:
        owner = self._owners.get(frame.channel)
        if owner is None:
            return  # its client has gone, and the guest does not know yet
        client, channel = owner
        client.send(encode(Frame(frame.kind, channel, frame.payload)))
        if frame.kind == CONTROL and message(frame).get("event") not in NEVER_FINAL:
            del self._owners[frame.channel]
            client.channels.pop(channel, None)

    def _lose(self, why: str) -> None:
        """Answer all that is under way: the agent that it was asked of is no more."""
        if self._state is not ABSENT:
            self._state = ABSENT
            self._tell(ABSENT)
        owners, self._owners = self._owners, {}
        for client, channel in owners.values():
            client.channels.pop(channel, None)
            client.send(control(channel, {"event": "error", "error": why, "lost": True}))

    # The side of the clients.

    async def serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it goes, then close its channels in the guest."""
        client = Client(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._clients.add(client)
        client.send(control(0, dict(self._state)))
        decoder = Decoder()
        try:
            while data := await reader.read(READ_SIZE):
                for frame in decoder.feed(data):
                    self._serve(client, frame)
                await self._guest_has_room()
        except (ConnectionError, asyncio.CancelledError):
            pass  # a client may go as it likes
        finally:
            self._clients.discard(client)
            for channel in client.channels.values():
                del self._owners[channel]
                self._send(control(channel, {"do": "close"}))
            client.drop()
            self._tasks.discard(task)

    async def drop_clients(self) -> None:
        """End all clients' connections, and wait until nobody serves them any more."""
        for client in self._clients:
            client.drop()
        await asyncio.gather(*self._tasks)

    def _serve(self, client: Client, frame: Frame) -> None:
        if frame.channel == 0 or frame.kind == HELLO:
            return
        ours = client.channels.get(frame.channel)
        if ours is None:
            request = message(frame) if frame.kind == CONTROL else {}
            if request.get("do") not in REQUESTS:
                return  # late words for a channel that has ended
            ours = self._open(client, frame.channel)
        if ours is not None:
            self._send(encode(Frame(frame.kind, ours, frame.payload)))

    def _open(self, client: Client, channel: int) -> int | None:
        refusal = {"event": "error", "error": "", "status": 126}
        if self._link is None or not self._link.linked:
            client.send(control(channel, {**refusal, "error": "the guest's agent does not answer", "absent": True}))
            return None
        if len(client.channels) >= MOST_CHANNELS:
            client.send(control(channel, {**refusal, "error": f"one connection has at most {MOST_CHANNELS} channels"}))
            return None
        self._last_channel = self._last_channel % 0xFFFFFFFF + 1
        client.channels[channel] = self._last_channel
        self._owners[self._last_channel] = client, channel
        return self._last_channel

    def _send(self, data: bytes) -> None:
        if self._port is not None:
            self._port.write(data)

    async def _guest_has_room(self) -> None:
        """Wait while much waits for the guest already."""
        port = self._port
        if port is not None:
            with contextlib.suppress(ConnectionError):
                await port.drain()
