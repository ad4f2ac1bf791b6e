"""The guest's end of the channel to the host: bytes in and out of the virtio port, and the handshake over it.

Reads are edge-triggered, so a port without a listener on the host costs nothing: the next edge is the listener.
A port that hangs up has lost its host: all channels are void, and a new life (epoch) begins.
"""

import os
from collections import deque
from collections.abc import Callable

from jeos.agent.loop import EDGE, HANGUP, READ, WRITE, Loop
from jeos.model.frames import HELLO, Decoder, Frame, Link

READ_SIZE = 64 << 10  # bytes taken from the port at once
BUSY = 256 << 10  # bytes waiting to be sent from which on streams pause
FULL = 4 << 20  # bytes waiting to be sent from which on the host's requests wait too
EPOCH_BYTES = 16


def _epoch() -> str:
    return os.urandom(EPOCH_BYTES).hex()


class Port:
    """One byte stream to the host. `on_frame` gets frames of a link that is up, `on_reset` voids all channels."""

    def __init__(
        self,
        loop: Loop,
        descriptor: int,
        *,
        on_frame: Callable[[Frame], None],
        on_link: Callable[[], None],
        on_reset: Callable[[], None],
        on_room: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._on_frame = on_frame
        self._on_link = on_link
        self._on_reset = on_reset
        self._on_room = on_room
        self._on_end = on_end
        self._decoder = Decoder()
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._paused = False
        self._link = Link(_epoch())
        os.set_blocking(descriptor, False)
        loop.watch(descriptor, READ | WRITE | EDGE, self._ready)
        self._put(self._link.hello())

    @property
    def linked(self) -> bool:
        """Tell whether a host has answered."""
        return self._link.linked

    @property
    def busy(self) -> bool:
        """Tell whether streams should wait before they send more."""
        return self._queued >= BUSY

    def send(self, encoded: bytes) -> None:
        """Queue an encoded frame; nothing is sent while no host listens."""
        if self._link.linked:
            self._put(encoded)

    def close(self) -> None:
        """Let go of the descriptor."""
        self._loop.forget(self._descriptor)
        os.close(self._descriptor)

    def _put(self, data: bytes) -> None:
        self._queue.append(data)
        self._queued += len(data)
        self._flush()

    def _ready(self, events: int) -> None:
        if events & (READ | HANGUP):
            self._fill()
        if events & WRITE:
            self._flush()

    def _fill(self) -> None:
        """Read until there is nothing more: an edge comes only once."""
        while not self._paused:
            try:
                data = os.read(self._descriptor, READ_SIZE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lose()
                return
            for frame in self._decoder.feed(data):
                self._take(frame)
            self._paused = self._queued >= FULL

    def _take(self, frame: Frame) -> None:
        if frame.kind != HELLO:
            if self._link.linked:
                self._on_frame(frame)
            return
        heard = self._link.hear(frame)
        if heard.reset:
            self._on_reset()
        if heard.reply:
            self._put(heard.reply)
        if heard.linked:
            self._on_link()

    def _lose(self) -> None:
        """Begin a new life: the host has gone. Its HELLO will wait in the port until a host listens again."""
        self._queue.clear()
        self._queued = 0
        self._paused = False
        self._decoder = Decoder()
        self._link = Link(_epoch())
        self._on_reset()
        self._on_end()
        self._put(self._link.hello())

    def _flush(self) -> None:
        was_busy = self.busy
        while self._queue:
            try:
                sent = os.write(self._descriptor, self._queue[0])
            except BlockingIOError:
                break
            except OSError:
                break  # the reading side finds out what happened
            if sent < len(self._queue[0]):
                self._queue[0] = self._queue[0][sent:]
            else:
                self._queue.popleft()
            self._queued -= sent
        if was_busy and not self.busy:
            self._on_room()
        if self._paused and self._queued < FULL:
            self._paused = False
            self._fill()
