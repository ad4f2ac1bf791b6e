"""The agent's socket inside the guest, on which `jeos-agent status` and the other units ask it things.

One packet asks, one packet answers, both JSON (SOCK_SEQPACKET, so that a packet is a message). Only root may ask.
"""

import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from jeos.agent.appliance import RUN
from jeos.agent.loop import READ, Loop

PLACE = f"{RUN}/agent.sock"
LONGEST = 64 << 10  # bytes of a packet
WAITING = 8  # askers that may wait to be accepted

Answer = Callable[[Mapping[str, object]], None]


class Local:
    """The listening socket; `serve(request, answer)` is called for each request."""

    def __init__(self, loop: Loop, *, place: str, serve: Callable[[Mapping[str, object], Answer], None]) -> None:
        self._loop = loop
        self._serve = serve
        os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
        if os.path.exists(place):
            os.unlink(place)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.bind(place)
        os.chmod(place, 0o600)
        self._socket.listen(WAITING)
        self._socket.setblocking(False)
        loop.watch(self._socket.fileno(), READ, self._accept)

    def _accept(self, events: int) -> None:
        try:
            asker, _ = self._socket.accept()
        except OSError:
            return  # it has gone again
        asker.setblocking(False)
        self._loop.watch(asker.fileno(), READ, lambda events: self._read(asker))

    def _read(self, asker: socket.socket) -> None:
        self._loop.forget(asker.fileno())
        try:
            request = json.loads(asker.recv(LONGEST))
        except (OSError, ValueError):
            request = None
        if not isinstance(request, dict):
            asker.close()
            return

        def answer(said: Mapping[str, object]) -> None:
            with suppress(OSError):  # whoever asked may not wait for the answer
                asker.send(json.dumps(said).encode()[:LONGEST])
            asker.close()

        self._serve(request, answer)


def ask(request: Mapping[str, object], *, place: str = PLACE, seconds: float) -> dict[str, object]:
    """Ask the agent and return its answer. Raises OSError if it does not answer in time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(seconds)
        connection.connect(place)
        connection.send(json.dumps(request).encode())
        answer = connection.recv(LONGEST)
    if not answer:
        raise OSError("the agent did not answer")
    value = json.loads(answer)
    return value if isinstance(value, dict) else {}
