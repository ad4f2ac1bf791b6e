"""Talking to the domain of one machine as `qmp` talks to a QEMU: commands by QEMU's names, and events.

    monitor = DomainMonitor(machine, folder=places.folder)
    monitor.start(xml)                      # paused
    await monitor.execute("cont")
    async for event in monitor.events(): …  # until the domain has ended

libvirt's calls block, so they run in threads. Where its daemon goes away, the domain stays: the monitor connects again.
"""

import asyncio
import contextlib
import queue
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from jeos.core.errors import MachineError
from jeos.model.machine import Boot, Machine
from jeos.vm.domains import domain as domains
from jeos.vm.domains import library
from jeos.vm.domains.document import balloon_of
from jeos.vm.domains.domain import Power
from jeos.vm.domains.library import Domain, Host, translated
from jeos.vm.qmp import Event

ENDED = "ENDED"  # the name of the last event; its reason tells how the domain ended
FAILED = "FAILED"  # the same, for one that ended because something failed
AGAIN_SECONDS = 1.0  # between two attempts to reach a libvirt that went away
POLL_SECONDS = 0.05
RESETS_SECONDS = (
    5.0  # in which resets that follow each other count as one; they take milliseconds, or a busy host's time
)
END_SECONDS = 15.0  # that a domain may take to end after it was destroyed
MEBIBYTE, KIBIBYTE = 1 << 20, 1 << 10

Result = TypeVar("Result")


class DomainMonitor:
    """The domain of a machine, from before its start to after its end."""

    def __init__(self, machine: Machine, *, folder: Path, disks: int = 1) -> None:
        """Connect to the machine's libvirt. Raises MachineError or HostError."""
        self._machine, self._folder, self._disks = machine, folder, disks
        self._library = library.load()
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._closed = False
        self._reset = 0.0  # when the last one was, by the monotonic clock
        self._new = False  # whether the domain was not there before
        self._keeping = False  # whether an end is our own doing, and not the last
        library.follow_events()
        self._host: Host = library.open_host(machine.engine)
        self._domain: Domain | None = None
        with translated():
            self._host.registerCloseCallback(self._lost, None)
            self._host.setKeepAlive(library.KEEPALIVE_SECONDS, library.KEEPALIVE_MISSES)
            self._adopt(domains.find(self._host, machine, folder=folder))

    # Start and end.

    @property
    def active(self) -> bool:
        """Whether the domain runs, or is paused."""
        with translated():
            return self._domain is not None and bool(self._domain.isActive())

    def start(self, xml: str, *, memory: str = "") -> None:
        """Define the domain and create it, paused; with the file `memory`, it goes on with what that holds."""
        self._new = self._domain is None
        with translated():
            self._adopt(domains.define(self._host, self._machine, xml, folder=self._folder))
            if memory:
                self._host.restoreFlags(memory, xml, self._library.VIR_DOMAIN_SAVE_PAUSED)
            else:
                self._known().createWithFlags(self._library.VIR_DOMAIN_START_PAUSED)

    def take_back(self) -> None:
        """End what `start` began; a domain that was not there before is taken out of libvirt again."""
        self.destroy()
        if self._new and self._domain is not None:
            domains.undefine(self._domain, nvram=self._machine.boot is Boot.FIRMWARE)

    def run_on(self) -> None:
        """Let the processors run, if they do not."""
        with translated():
            if domains.condition(self._known()).power is Power.PAUSED:
                self._known().resume()

    def pause(self) -> None:
        """Let the processors stand still, if they do not."""
        with translated():
            if domains.condition(self._known()).power is Power.RUNNING:
                self._known().suspend()

    def save(self, memory: Path) -> None:
        """Write the memory to a file and end the domain, which `restore` brings back; nobody is told that it ended."""
        self._keeping = True
        with translated():
            self._known().saveFlags(str(memory), None, self._library.VIR_DOMAIN_SAVE_RUNNING)

    def restore(self, memory: Path) -> None:
        """Bring the domain back that `save` ended, paused."""
        with translated():
            self._host.restoreFlags(str(memory), None, self._library.VIR_DOMAIN_SAVE_PAUSED)
        self._keeping = False

    def end_kept(self, reason: str) -> None:
        """Let a domain that `save` ended be ended."""
        self._keeping = False
        self._queue.put(Event(ENDED, reason, by_guest=False))

    def destroy(self) -> None:
        """End the domain at once, if it has not ended. Raises MachineError if it does not."""
        with translated():
            if self._domain is not None and self._domain.isActive():
                self._domain.destroy()
        until = time.monotonic() + END_SECONDS
        while self.active:
            if time.monotonic() > until:
                raise MachineError("libvirt does not end the domain", hint="virsh list")
            time.sleep(POLL_SECONDS)

    def saved_balloon(self, memory: str) -> int:
        """Return the KiB that the guest held that was saved to a file, 0 if that was all of its memory."""
        with translated():
            return balloon_of(self._host.saveImageGetXMLDesc(memory, 0))

    def description(self) -> str:
        """Return libvirt's own description of the domain."""
        with translated():
            return self._known().XMLDesc(0)

    # What `watch` does with a QEMU.

    async def execute(self, command: str, arguments: dict[str, object] | None = None) -> object:
        """Do what a command of QEMU's means. Raises MachineError if libvirt refuses it, or there is no such command."""
        commands: Mapping[str, Callable[[], object]] = {
            "stop": self.pause,
            "cont": self.run_on,
            "query-status": self._status,
            "query-balloon": self._balloon,
            "balloon": lambda: self._resize(int(str((arguments or {})["value"]))),
            "query-blockstats": self._blocks,
            "query-version": self._version,
        }
        if command not in commands:
            raise MachineError(f"jeos does not know how libvirt does {command}")
        return await self._call(commands[command])

    async def version(self) -> str:
        """Return which QEMU and which libvirt this is, as "7.2.22 (libvirt 9.0.0)"."""
        return str(await self.execute("query-version"))

    async def powerdown(self) -> None:
        """Press the machine's power button; whether the guest minds it is the guest's matter."""
        button = self._library.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
        await self._call(lambda: self._known().shutdownFlags(button))

    async def quit(self) -> None:
        """End the domain at once."""
        await self._call(self.destroy)

    async def events(self) -> AsyncIterator[Event]:
        """Yield events until the domain has ended; the last one is ENDED or FAILED."""
        while True:
            event = await asyncio.to_thread(self._queue.get)
            if event is None:
                if self._closed:
                    return
                await self._reach_again()
            elif event.name not in (ENDED, FAILED):
                yield event
            elif not self._keeping and not await self._call(lambda: self.active):
                yield event
                return

    async def close(self) -> None:
        """End the connection."""
        self._closed = True
        self._queue.put(None)
        with contextlib.suppress(self._library.libvirtError):
            await asyncio.to_thread(self._host.close)

    # Parts.

    def _adopt(self, domain: Domain | None) -> None:
        """Take a domain as the machine's, and have libvirt tell of it."""
        if domain is None or self._domain is not None:
            return
        self._domain = domain
        events: tuple[tuple[int, library.Callback], ...] = (
            (self._library.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lives),
            (self._library.VIR_DOMAIN_EVENT_ID_REBOOT, self._reboots),
        )
        for event, callback in events:
            self._host.domainEventRegisterAny(domain, event, callback, None)

    def _known(self) -> Domain:
        if self._domain is None:
            raise MachineError(f"libvirt has no domain for {self._machine.name}", hint=f"jeos run {self._machine.name}")
        return self._domain

    async def _call(self, function: Callable[[], Result]) -> Result:
        def call() -> Result:
            with translated():
                return function()

        return await asyncio.to_thread(call)

    def _status(self) -> object:
        found = domains.condition(self._known())
        return {"running": found.power is Power.RUNNING, "status": found.why or found.power.value}

    def _balloon(self) -> object:
        return {"actual": self._known().memoryStats()["actual"] * KIBIBYTE}

    def _resize(self, size: int) -> object:
        return self._known().setMemoryFlags(size // KIBIBYTE, self._library.VIR_DOMAIN_AFFECT_LIVE)

    def _blocks(self) -> object:
        found = [self._known().blockStats(f"vd{chr(ord('a') + number)}") for number in range(self._disks)]
        return [{"stats": {"rd_bytes": one[1], "wr_bytes": one[3]}} for one in found]

    def _version(self) -> object:
        qemu, own = (
            f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
            for number in (self._host.getVersion(), self._host.getLibVersion())
        )
        return f"{qemu} (libvirt {own})"

    def _lives(self, host: Host, domain: Domain, event: int, detail: int, opaque: object) -> None:
        """Take an event of the domain's life. Source: libvirt, libvirt-domain.h, virDomainEventType."""
        own = self._library
        by_guest = event == own.VIR_DOMAIN_EVENT_SHUTDOWN and detail == own.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST
        names = {
            own.VIR_DOMAIN_EVENT_SUSPENDED: "STOP",
            own.VIR_DOMAIN_EVENT_RESUMED: "RESUME",
            own.VIR_DOMAIN_EVENT_SHUTDOWN: "SHUTDOWN",
            own.VIR_DOMAIN_EVENT_CRASHED: "GUEST_PANICKED",
        }
        if event == own.VIR_DOMAIN_EVENT_STOPPED:
            failed = {
                own.VIR_DOMAIN_EVENT_STOPPED_CRASHED: "libvirt says that its QEMU crashed",
                own.VIR_DOMAIN_EVENT_STOPPED_FAILED: "libvirt says that its QEMU failed",
            }
            ended = {
                own.VIR_DOMAIN_EVENT_STOPPED_DESTROYED: "ended through libvirt",
                own.VIR_DOMAIN_EVENT_STOPPED_SAVED: "saved through libvirt, without jeos",
                own.VIR_DOMAIN_EVENT_STOPPED_MIGRATED: "moved to another host through libvirt",
            }
            name, reasons = (FAILED, failed) if detail in failed else (ENDED, ended)
            self._queue.put(Event(name, reasons.get(detail, ""), by_guest=False))
        elif event in names:
            self._queue.put(Event(names[event], "", by_guest=by_guest))

    def _reboots(self, host: Host, domain: Domain, opaque: object) -> None:
        """Take a reset; SeaBIOS answers one of a machine that ran with up to two more, which are the same start."""
        before, self._reset = self._reset, time.monotonic()
        if before and self._reset - before < RESETS_SECONDS:
            return
        self._queue.put(Event("RESET", "", by_guest=True))

    def _lost(self, host: Host, reason: int, opaque: object) -> None:
        self._queue.put(None)

    async def _reach_again(self) -> None:
        """Connect again to a libvirt that went away, and look whether the domain is still there."""
        while not self._closed:
            await asyncio.sleep(AGAIN_SECONDS)
            with contextlib.suppress(MachineError):
                self._host = await asyncio.to_thread(library.open_host, self._machine.engine)
                self._domain = None
                await self._call(self._find_again)
                return

    def _find_again(self) -> None:
        self._host.registerCloseCallback(self._lost, None)
        self._adopt(domains.find(self._host, self._machine, folder=self._folder))
        if not self.active:
            self._queue.put(Event(ENDED, "ended while its libvirt was away", by_guest=False))
