"""A connection that gives up on servers which are silent, slow or endless, and keeps to a bandwidth.

`http.client` reads whatever `makefile` returns; here that is a stream which looks at the clock before each read, so
that not even a header can come a byte a minute.
"""

import io
import socket
import time

from jeos.update.fetch import FetchError, Limits

Buffer = bytearray | memoryview


class Wire:
    """The socket of an HTTP connection, as far as `http.client` uses one; `received` and `sent` count its bytes."""

    def __init__(self, connection: socket.socket, *, limits: Limits, bandwidth: int) -> None:
        self.connection = connection
        self.received = 0
        self.sent = 0
        self._limits = limits
        self._bandwidth = bandwidth
        self._deadline = 0.0
        self._end = 0.0
        self._window = (0.0, 0)  # when it began, and how many bytes had come by then
        self._free = 0.0  # when the bandwidth allows the next byte
        self._streams = 0
        self._closing = False

    def start(self, *, seconds: float = 0.0, length: int = 0) -> None:
        """Begin a request, which must be answered whole in `seconds`; 0 for as long as it is not too slow.

        Then `length` is how many bytes are wanted: one that sends more than these for ever is given up on, too.
        """
        now = time.monotonic()
        self._deadline = now + seconds if seconds else 0.0
        self._end = now + self._limits.whole + length / self._limits.slowest
        self._window = (now, self.received)

    def sendall(self, data: bytes) -> None:
        """Send all of the data."""
        self.connection.settimeout(self._limits.silence)
        self.connection.sendall(data)
        self.sent += len(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a stream to read from, which keeps the connection open until it is closed too."""
        self._streams += 1
        return io.BufferedReader(_Stream(self))

    def close(self) -> None:
        """Close the connection, as soon as nobody reads from it any more."""
        self._closing = True
        if not self._streams:
            self.connection.close()

    def stream_closed(self) -> None:
        """Note that a stream is not read from any more."""
        self._streams -= 1
        if self._closing:
            self.close()

    def cut(self) -> None:
        """Close the connection at once."""
        self.connection.close()

    def receive_into(self, buffer: Buffer) -> int:
        """Read what comes next into a buffer. Raises FetchError when the server takes too long."""
        now = time.monotonic()
        if self._free > now:
            self._rest(self._free - now)
            now = time.monotonic()
        patience = self._limits.silence
        if self._deadline:
            patience = min(patience, self._deadline - now)
        elif now > self._end:
            raise self._slow()
        if patience <= 0:
            raise self._slow()
        view = memoryview(buffer)[: max(1, self._bandwidth // 4)] if self._bandwidth else memoryview(buffer)
        self.connection.settimeout(patience)
        try:
            count = self.connection.recv_into(view)
        except TimeoutError:
            raise self._slow() from None
        self.received += count
        if self._bandwidth:
            self._free = max(now, self._free) + count / self._bandwidth
        self._check_speed()
        return count

    def _rest(self, seconds: float) -> None:
        """Sleep, so as to leave the line to others; that is not the server's slowness."""
        time.sleep(seconds)
        began, before = self._window
        self._window = (began + seconds, before)
        self._end += seconds
        if self._deadline:
            self._deadline += seconds

    def _check_speed(self) -> None:
        began, before = self._window
        now = time.monotonic()
        if self._deadline or now - began < self._limits.window:
            return
        if (self.received - before) / (now - began) < self._limits.slowest:
            raise self._slow()
        self._window = (now, self.received)

    def _slow(self) -> FetchError:
        return FetchError("the server is too slow: it was given up on", again=True)


class _Stream(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override]  # any buffer, as all raw streams of Python
        return self._wire.receive_into(buffer)

    def close(self) -> None:
        if not self.closed:
            self._wire.stream_closed()
        super().close()
