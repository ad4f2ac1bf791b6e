"""Talking to QEMU over its machine protocol (QMP), through the package `qemu.qmp`; one client per QEMU.

qmp = await connect(socket)
await qmp.powerdown()
async for event in qmp.events(): …
"""

import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

from qemu.qmp import EventListener, ExecuteError, QMPClient, QMPError

from jeos.core.errors import MachineError

logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)  # every error reaches us as an exception as well


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in QEMU, such as RESET, SHUTDOWN or GUEST_PANICKED; `reason` is "" where none is told."""

    name: str
    reason: str
    by_guest: bool


class Qmp:
    """A connection to one QEMU."""

    def __init__(self, client: QMPClient, listener: EventListener) -> None:
        self._client = client
        self._listener = listener

    async def execute(self, command: str, arguments: dict[str, object] | None = None) -> object:
        """Run a command and return its answer; raises MachineError if QEMU refuses it or is gone."""
        try:
            return await self._client.execute(command, arguments)
        except (ExecuteError, QMPError) as error:
            raise MachineError(
                f"QEMU did not do {command}: {error}", hint="see the machine's supervisor.log"
            ) from error

    async def pass_file(self, descriptor: int, name: str) -> None:
        """Give QEMU a file that is open here, under a name for its commands; raises MachineError if QEMU is gone."""
        try:
            self._client.send_fd_scm(descriptor)
        except (QMPError, OSError) as error:
            raise MachineError(f"QEMU did not take a file: {error}") from error
        await self.execute("getfd", {"fdname": name})

    async def version(self) -> str:
        """Return which QEMU this is, as "7.2.22 (Debian …)"."""
        found = await self.execute("query-version")
        assert isinstance(found, dict)
        number = found["qemu"]
        return f"{number['major']}.{number['minor']}.{number['micro']} {found['package'].strip()}".strip()

    async def powerdown(self) -> None:
        """Press the machine's power button; whether the guest minds it is the guest's matter."""
        await self.execute("system_powerdown")

    async def quit(self) -> None:
        """End QEMU at once, with its disks closed in order."""
        await self.execute("quit")

    async def events(self) -> AsyncIterator[Event]:
        """Yield events until QEMU ends."""
        while True:
            try:
                message = await self._listener.get()
            except QMPError:
                return
            data = message.get("data")
            data = data if isinstance(data, dict) else {}
            yield Event(
                name=str(message["event"]), reason=str(data.get("reason", "")), by_guest=bool(data.get("guest", False))
            )

    async def close(self) -> None:
        """End the connection; an error on it no longer matters."""
        try:
            await self._client.disconnect()
        except (QMPError, OSError, EOFError):
            return


async def connect(connection: socket.socket) -> Qmp:
    """Greet the QEMU at the other end of a socket; raises MachineError if it ends instead."""
    client = QMPClient("jeos")
    listener = EventListener()
    client.register_listener(listener)
    try:
        await client.connect(connection)
    except (QMPError, OSError) as error:
        raise MachineError(f"QEMU did not start: {error}") from error
    return Qmp(client, listener)
