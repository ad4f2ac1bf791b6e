"""The serial console of a machine: all that it says goes to a log that rotates, and to everybody who is attached.

What attached people type goes to the machine. A slow listener loses output rather than hold up the machine.
"""

import asyncio
import contextlib
import socket
from collections import deque
from pathlib import Path

LOG_LIMIT = 1 << 20  # bytes of a log before it becomes the old one, of which there is one
RECENT = 16 << 10  # bytes that somebody who attaches is shown at once
CHUNK = 16 << 10
BACKLOG = 1 << 20  # bytes waiting for one listener before it is cut off
OLD_SUFFIX = ".1"


class Log:
    """A file that is renamed to `….1` when it is full; what was written before is kept once."""

    def __init__(self, path: Path, *, limit: int = LOG_LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()

    def write(self, data: bytes) -> None:
        """Append bytes. Raises OSError where the disk has no room for them."""
        if self._size and self._size + len(data) > self._limit:
            self._path.replace(old(self._path))
            full, self._file = self._file, self._path.open("wb", buffering=0)
            full.close()
            self._size = 0
        self._file.write(data)
        self._size += len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def old(path: Path) -> Path:
    """Return where the full log before this one is."""
    return path.with_name(path.name + OLD_SUFFIX)


class Console:
    """Connects QEMU's end of the serial line with a log and with listeners on a unix socket."""

    def __init__(self, line: socket.socket, *, log: Path, listen: Path) -> None:
        self._line = line
        self._log = Log(log)
        self._listen = listen
        self._listeners: set[asyncio.StreamWriter] = set()
        self._recent: deque[bytes] = deque()
        self._recent_size = 0
        self._to_guest: asyncio.StreamWriter | None = None
        self._server: asyncio.AbstractServer | None = None

    async def serve(self) -> None:
        """Carry bytes both ways until the machine's end closes."""
        reader, self._to_guest = await asyncio.open_connection(sock=self._line)
        self._server = await asyncio.start_unix_server(self._attach, self._listen)
        try:
            while data := await reader.read(CHUNK):
                self._say(data)
        except ConnectionError:
            return
        finally:
            await self._end()

    def _say(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # on a full disk, the machine is worth more than its log
            self._log.write(data)
        self._recent.append(data)
        self._recent_size += len(data)
        while self._recent_size - len(self._recent[0]) >= RECENT:
            self._recent_size -= len(self._recent.popleft())
        for listener in list(self._listeners):
            if listener.transport.get_write_buffer_size() > BACKLOG:
                listener.transport.abort()
                self._listeners.discard(listener)
            else:
                listener.write(data)

    async def _attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(self._recent))
        self._listeners.add(writer)
        try:
            while data := await reader.read(CHUNK):
                if self._to_guest is not None:
                    self._to_guest.write(data)
                    await self._to_guest.drain()
        except ConnectionError:
            pass
        finally:
            self._listeners.discard(writer)
            writer.close()

    async def _end(self) -> None:
        """Let listeners have what they were sent, then hang up."""
        if self._server is not None:
            self._server.close()
        for listener in list(self._listeners):
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(listener.drain(), timeout=1)
            listener.close()
        if self._to_guest is not None:
            self._to_guest.close()
        self._log.close()
