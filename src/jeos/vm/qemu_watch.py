"""Standing behind a QEMU that jeos started itself: what `watch` does, with QEMU's own machine protocol."""

import asyncio
import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from jeos.core import files
from jeos.core.errors import JeosError, MachineError
from jeos.model.machine import Machine, State, Status, machine_text
from jeos.model.saved import Start
from jeos.vm import filling, hold, saving, supply, usage
from jeos.vm.bringing_back import bring_back
from jeos.vm.console import Console
from jeos.vm.launch import Launched, end_error
from jeos.vm.places import Places
from jeos.vm.qmp import Qmp, connect
from jeos.vm.watch import Watch, answer

LAST_WORDS_SECONDS = 1.0  # until a QEMU that cannot go on has ended, and said why
FILL_SECONDS = 90.0  # after which a machine from a backup gets the rest of its disks even if its guest is not up


class QemuWatch(Watch):
    """One run of one machine whose QEMU is a child of the supervisor."""

    def __init__(
        self, machine: Machine, places: Places, launched: Launched, *, state: State, ready: int, start: Start
    ) -> None:
        super().__init__(
            machine,
            places,
            launched.process,
            state=state,
            ready=ready,
            start=start,
            sharing=launched.sharing,
            vsock=launched.vsock,
        )
        self._launched = launched
        self._qemu: Qmp | None = None

    @contextmanager
    def _noticing_the_end(self) -> Iterator[None]:
        pidfd = os.pidfd_open(self._launched.process.pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(pidfd, self._ended.set)
        try:
            yield
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)

    async def _greet(self) -> Qmp:
        self._qemu = await connect(self._launched.qmp)
        if self._machine.supply:
            self._spawn(self._become_independent(self._qemu))
        return self._qemu

    async def _serve_console(self) -> None:
        await Console(self._launched.console, log=self._places.console_log, listen=self._places.console).serve()

    def _known(self) -> Qmp:
        if self._qemu is None:
            raise self._busy()
        return self._qemu

    async def _go_on(self) -> bool:
        try:
            await bring_back(
                self._known(),
                self._launched,
                self._places,
                machine=self._machine,
                start=self._start,
                serve=self._serve_guest,
            )
        except MachineError as error:
            with contextlib.suppress(asyncio.TimeoutError):  # it may end by itself, and say why
                await asyncio.wait_for(self._ended.wait(), timeout=LAST_WORDS_SECONDS)
            self._failure = None if self._ended.is_set() else error
            self._launched.process.kill()
            return False
        return True

    async def _become_independent(self, qmp: Qmp) -> None:
        """Fill the disks from the backup that they came from, once the guest is up, and let go of it."""
        used = partial(usage.processor_seconds, self._launched.process.pid)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FILL_SECONDS):
                await filling.wait_until_quiet(qmp, processor=used, well=self._healthy.is_set)
        await filling.fill(qmp)
        self._machine = replace(self._machine, supply=())
        files.write(self._places.machine, machine_text(self._machine), mode=0o600)
        if self._launched.supply is not None:
            await asyncio.to_thread(supply.end, self._launched.supply)

    async def _save_as(self, name: str, *, into: str, stop: bool, writer: asyncio.StreamWriter) -> None:
        subject = saving.Subject(
            qmp=self._known(),
            machine=self._machine,
            state=self._state,
            places=self._places,
            agent=self._agent,
            start=self._start,
            packed=self._launched.packed,
        )
        async with self._running().still():
            if into:
                await saving.save_template(subject, Path(into))
            else:
                await saving.save(subject, name=name, stop=stop)
            if stop:
                self._orders.append(writer)
                await self._stop(within=0, why=f"saved as {self._machine.name}@{name}")

    async def _drop(self, tag: str) -> None:
        await saving.forget(self._known(), self._places.saved, tag=tag)

    async def _hold(
        self, order: Mapping[str, object], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._held or self._qemu is None:
            answer(writer, self._busy())
            return
        self._held = "backup"
        try:
            pausing = self._running()
            agent = self._agent and not pausing.reason  # one that stands still cannot freeze
            done = hold.serve(
                order, reader, writer, qmp=self._qemu, places=self._places, agent=agent, still=pausing.still
            )
            await done
        except JeosError as error:
            answer(writer, error)
        except (ConnectionError, asyncio.IncompleteReadError):  # whoever ordered it was killed
            return
        finally:
            self._held = ""
            writer.close()

    def _end_error(self, status: int) -> MachineError:
        starting = self._launched if self._state.status is Status.STARTING else None
        return end_error(self._machine, self._places, status, starting=starting)
