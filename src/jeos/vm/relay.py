"""Lets many clients share the one port to a guest's agent, which QEMU offers to one client only.

    await serve(port, listen, on_event=print)

Each client speaks `jeos.model.frames` with channel ids of its own; the relay gives each channel an id of the port's and
back again, and otherwise passes frames on. Windows are kept end to end, between client and agent, so what can wait in
the relay is bounded by them; a client that lets more wait than that allows is cut off. A client that goes leaves
nothing running: its channels are closed in the guest.

The relay outlives QEMU's resets and the agent's restarts: it answers what was under way with an error, and goes on.
On channel 0 it passes the agent's states to everybody, and remembers the last one for whoever comes later. While no
agent answers, the state is "absent"; an agent that says nothing is asked whether it is there, so that a guest that
hangs is noticed. What a state may say is bounded and cleaned here, because it ends on terminals and in files.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from jeos.core import sockets
from jeos.core.terminal import plain
from jeos.model.frames import CONTROL, HELLO, Decoder, Frame, Link, control, encode, message
from jeos.model.machine import Channel
from jeos.vm.vsock import Vsock, is_agent

READ_SIZE = 64 << 10  # bytes
MOST_CHANNELS = 8  # of one client
CLIENT_BACKLOG = 4 << 20  # bytes that may wait for a client: MOST_CHANNELS windows of two streams, all stuffing
PORT_BACKLOG = 4 << 20  # bytes that may wait for the guest before the relay starts afresh
PORT_HIGH = 512 << 10  # bytes that may wait for the guest before clients are not read any more
RETRY_SECONDS = 0.2  # between attempts to reach QEMU
ASK_SECONDS = 10.0  # of silence after which the agent is asked whether it is there
LOST_SECONDS = 40.0  # of silence after which nobody is told any more that it is; long, because hosts are busy
LONGEST_WORD, LONGEST_REASON = 100, 300  # characters of what a state says
MOST_REASONS = 20
NEVER_FINAL = ("started",)  # what an agent says on a channel that stays open
ABSENT: Mapping[str, object] = {"event": "state", "state": "absent", "reasons": ["the agent does not answer"]}
SILENT: Mapping[str, object] = {**ABSENT, "reasons": [f"the agent has not answered for {LOST_SECONDS:g} s"]}
REQUESTS = ("exec", "status", "health", "freeze", "thaw", "usage", "wake", "poweroff", "reboot")

OnEvent = Callable[[Mapping[str, object]], None]
OnWay = Callable[[Channel], None]


async def serve(
    port: Path,
    listen: Path,
    *,
    on_event: OnEvent,
    on_way: OnWay = lambda way: None,
    vsock: Vsock | None = None,
    haste: float = 1.0,
) -> None:
    """Relay between the guest behind QEMU's socket `port` and the clients of the socket `listen`, until cancelled.

    An agent that calls over `vsock` is served there instead, until it hangs up. `on_event` gets the agent's states, and
    one "absent" when the agent is lost; `on_way` the way on which one answers. Only the owner can connect. With
    `haste`, the agent has only that part of the time to break its silence.
    """
    relay = Relay(on_event=on_event, on_way=on_way, haste=haste)
    listen.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(relay.serve_client, sock=sockets.listen(listen))
    try:
        await _follow(relay, port, vsock)
    finally:
        server.close()
        await relay.drop_clients()
        listen.unlink(missing_ok=True)


async def _follow(relay: "Relay", port: Path, vsock: Vsock | None) -> None:
    """Follow the port for ever, and in its place each call of the agent over vsock."""
    while True:
        ways: list[asyncio.Task[object]] = [asyncio.create_task(relay.follow_port(port))]
        ways += [asyncio.create_task(_called(vsock))] if vsock else []
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            _, *called = await asyncio.gather(*ways, return_exceptions=True)
        if called and isinstance(called[0], socket.socket):
            with contextlib.suppress(OSError):
                await relay.follow(*await asyncio.open_connection(sock=called[0]), way=Channel.VSOCK)
        else:
            await asyncio.sleep(RETRY_SECONDS)


async def _called(vsock: Vsock) -> socket.socket:
    """Wait until the machine's agent calls, and return the line; whoever else calls is hung up on."""
    while True:
        line, caller = await asyncio.get_running_loop().sock_accept(vsock.door)
        if is_agent(caller, cid=vsock.cid):
            line.setblocking(False)
            return line
        line.close()


def read_state(said: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the state that an agent tells, with what it may say and no more; None if it tells something else."""
    if said.get("event") != "state" or not isinstance(said.get("state"), str):
        return None
    reasons = said.get("reasons")
    lines = [one for one in reasons if isinstance(one, str)] if isinstance(reasons, list) else []
    words = {name: said[name] for name in ("state", "name", "version", "boot") if isinstance(said.get(name), str)}
    return {
        "event": "state",
        **{name: _line(str(value), longest=LONGEST_WORD) for name, value in words.items()},
        "reasons": [_line(one, longest=LONGEST_REASON) for one in lines[:MOST_REASONS]],
    }


def _line(text: str, *, longest: int) -> str:
    return " ".join(plain(text[:longest]).split())


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

    def __init__(self, *, on_event: OnEvent, on_way: OnWay, haste: float) -> None:
        self._on_event = on_event
        self._on_way = on_way
        self._haste = haste
        self._heard = 0.0  # when the agent last said anything, by the loop's clock
        self._before_silence: Mapping[str, object] | None = None
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
        await self.follow(reader, writer, way=Channel.SERIAL)

    async def follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, way: Channel) -> None:
        """Serve one connection to the agent, to its end."""
        writer.transport.set_write_buffer_limits(high=PORT_HIGH)
        decoder = Decoder()
        self._link = Link(os.urandom(16).hex())
        self._port = writer
        writer.write(self._link.hello())
        listening = asyncio.ensure_future(self._listen_for_silence(self._link, writer))
        try:
            while data := await reader.read(READ_SIZE):
                was_linked = self._link.linked
                for frame in decoder.feed(data):
                    self._hear(frame, self._link, writer)
                if self._link.linked and not was_linked:
                    self._on_way(way)
                self._break_silence()
                if writer.transport.get_write_buffer_size() > PORT_BACKLOG:
                    return  # a guest that makes us answer and does not listen
        finally:
            listening.cancel()
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

    async def _listen_for_silence(self, link: Link, writer: asyncio.StreamWriter) -> None:
        """Ask a silent agent whether it is there; one that does not answer counts as absent until it does."""
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        while True:
            await asyncio.sleep(ASK_SECONDS * self._haste)
            silence = loop.time() - self._heard
            if self._before_silence is not None or not link.linked:
                continue  # its HELLO, or its answer to the last question, is still to come
            if silence >= LOST_SECONDS * self._haste and self._state is not ABSENT:
                self._before_silence, self._state = self._state, SILENT
                self._tell(SILENT)
            elif silence >= ASK_SECONDS * self._haste:
                writer.write(link.probe())

    def _break_silence(self) -> None:
        self._heard = asyncio.get_running_loop().time()
        if self._before_silence is not None:
            self._state, self._before_silence = self._before_silence, None
            self._tell(self._state)

    def _pass_event(self, frame: Frame) -> None:
        event = read_state(message(frame)) if frame.kind == CONTROL else None
        if event is not None:
            self._state, self._before_silence = event, None
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
        self._before_silence = None
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
