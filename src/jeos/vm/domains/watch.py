"""Standing behind a machine whose QEMU libvirt started: what `vm.watch` does, with libvirt's domain in QEMU's place."""

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jeos.core.errors import MachineError
from jeos.model.machine import Machine, State
from jeos.model.saved import Start
from jeos.vm import asking
from jeos.vm.console import Console
from jeos.vm.domains import keep
from jeos.vm.domains.check import refusal
from jeos.vm.domains.launch import Domained, listen
from jeos.vm.domains.monitor import ENDED, FAILED, DomainMonitor
from jeos.vm.places import Places
from jeos.vm.qmp import Event
from jeos.vm.saved_files import TAG, drop
from jeos.vm.watch import Watch, answer

POLL_SECONDS = 0.01
SOCKET_SECONDS = 30.0  # until a socket of ours is there, which takes no time on a host with nothing else to do


class DomainWatch(Watch):
    """One run of one machine that is a domain of libvirt."""

    def __init__(
        self, machine: Machine, places: Places, launched: Domained, *, state: State, ready: int, start: Start
    ) -> None:
        process, sharing = launched.process, launched.sharing
        super().__init__(machine, places, process, state=state, ready=ready, start=start, sharing=sharing)
        self._body, self._monitor = launched.process, launched.monitor
        self._lines: asyncio.Queue[socket.socket | None] = asyncio.Queue()
        self._lines.put_nowait(launched.console)

    @contextmanager
    def _noticing_the_end(self) -> Iterator[None]:
        try:
            yield  # libvirt tells of it in an event
        finally:
            self._lines.put_nowait(None)

    async def _greet(self) -> DomainMonitor:
        await self._until(self._places.console)
        return self._monitor

    async def _until(self, socket: Path) -> None:
        """Wait until one of our sockets is there: who started the machine may connect to it at once."""
        async with asyncio.timeout(SOCKET_SECONDS):
            while not socket.exists():
                await asyncio.sleep(POLL_SECONDS)

    async def _serve_console(self) -> None:
        """Serve one console after the other: a domain that is saved and goes on has a new one."""
        while (line := await self._lines.get()) is not None:
            await Console(line, log=self._places.console_log, listen=self._places.console).serve()

    async def _go_on(self) -> bool:
        """Let the guest know what time it is; it runs already."""
        self._serve_guest(self._places.guest)
        if self._start.agent:
            await self._until(self._places.guest)
            await asyncio.to_thread(asking.wake, self._places.guest)
        return True

    def _qemu_says(self, event: Event) -> None:
        if event.name == FAILED:
            self._body.status = 1
            self._failure = MachineError(f"the machine {self._machine.name} ended: {event.reason}", hint="virsh list")
        if event.name in (ENDED, FAILED):
            self._said = event.reason or self._said
            self._ended.set()
        else:
            super()._qemu_says(event)

    async def _save_as(self, name: str, *, into: str, stop: bool, writer: asyncio.StreamWriter) -> None:
        if into:
            raise refusal("no template can be made of a machine on libvirt")
        pausing = self._running()
        stood = bool(pausing.reason)
        agent = self._agent and not stood
        subject = keep.Subject(self._monitor, self._machine, self._state, self._places, agent=agent)
        why = f"saved as {self._machine.name}@{name}"
        await keep.save(subject, name=name, stop=stop)
        if stop:
            self._asked = why
            self._orders.append(writer)
            self._monitor.end_kept(why)
            return
        self._places.console.unlink(missing_ok=True)
        self._lines.put_nowait(await asyncio.to_thread(listen, self._places))
        await self._until(self._places.console)
        if not stood:
            await pausing.resume()
        if agent:
            await asyncio.to_thread(asking.wake, self._places.guest)

    async def _drop(self, tag: str) -> None:
        """Delete the memory; the disks, which QEMU has open, are swept before the next start."""
        if not TAG.fullmatch(tag):
            raise MachineError(f"{tag!r} is no tag of what was saved")
        drop(self._places.saved / tag)

    async def _hold(
        self, order: Mapping[str, object], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answer(writer, refusal("a machine on libvirt cannot be backed up while it runs", f"jeos stop {self._name}"))

    @property
    def _name(self) -> str:
        return self._machine.name

    def _end_error(self, status: int) -> MachineError:
        return MachineError(f"the machine {self._name} ended while it was starting", hint=f"jeos logs {self._name}")
