"""One of the two sides on which the measuring program runs: what it says, and the word to go on.

side = Side("guest", connection)
await side.hear()           # Fact("kernel", "6.12.57"), Ready("first-fault"), …
await side.go()
"""

import asyncio
import socket
from collections import deque

from jeos.core.errors import MachineError
from jeos.core.terminal import plain
from jeos.measure import protocol
from jeos.measure.protocol import Failed, Said

SILENCE_SECONDS = 240.0  # of a program that measures: far more than a start or any measurement takes under emulation
READ_SIZE = 64 << 10
LAST_LINES = 12  # of what was said besides, shown where it ends too early


class Side:
    """A program at the other end of a socket."""

    def __init__(self, name: str, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.name = name
        self._connection = connection
        self._rest = b""
        self._others: deque[str] = deque(maxlen=LAST_LINES)

    async def hear(self) -> Said:
        """Return what the program says next; raises MachineError if it fails, ends or is silent for too long."""
        while True:
            line, end, rest = self._rest.partition(b"\n")
            if end:
                self._rest = rest
                said = self._understand(line)
                if said is not None:
                    return said
            else:
                self._rest += await self._receive()

    async def go(self) -> None:
        """Let the program measure what it is ready for."""
        await asyncio.get_running_loop().sock_sendall(self._connection, protocol.GO)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _understand(self, line: bytes) -> Said | None:
        text = line.decode(errors="replace").strip("\r")
        said = protocol.parse(text)
        if isinstance(said, Failed):
            raise self._error(f"failed: {said.why}")
        if said is None:
            self._others.append(plain(text))
        return said

    async def _receive(self) -> bytes:
        receiving = asyncio.get_running_loop().sock_recv(self._connection, READ_SIZE)
        try:
            got = await asyncio.wait_for(receiving, timeout=SILENCE_SECONDS)
        except TimeoutError:
            raise self._error(f"said nothing for {SILENCE_SECONDS:g} s") from None
        if not got:
            raise self._error("ended before its end")
        return got

    def _error(self, what: str) -> MachineError:
        said = "".join(f"\n  {line}" for line in self._others)
        return MachineError(f"the measuring program on the side of the {self.name} {what}{said}", hint="measure again")
