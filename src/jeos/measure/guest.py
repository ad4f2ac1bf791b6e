"""A guest that has the measuring program in place of a system, as `jeos run` would start it directly.

    async with running(prepare(machine, places, kit=kit, settings=settings), places) as guest:
        await guest.side.hear()

It has one processor, its own accelerator, disk and network. Nothing is left when the block ends.
"""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import JeosError, MachineError
from jeos.measure.counters import Counters, open_counters
from jeos.measure.kit import Kit, Value
from jeos.measure.side import Side
from jeos.model.machine import Boot, Channel, Machine
from jeos.model.saved import Start
from jeos.model.tuning import Tuning
from jeos.vm import accelerator, disks, network, qmp
from jeos.vm.launch import Launched, launch
from jeos.vm.places import Places

MEBIBYTE = 1 << 20
MEMORY = 512  # MiB of the guest
DISK = "read.img"  # in the folder of the guest's places
READ_SIZE, WRITTEN_SIZE = 64 * MEBIBYTE, MEBIBYTE  # of the disks that are read and written
HOSTS_ADDRESS = "10.0.2.2"  # in QEMU's own network, where it leads to the host's loopback device
SHORT = Path("/tmp")  # sockets lie here, because their paths must be short
QUIT_SECONDS = 5.0
CMDLINE = "quiet loglevel=1 panic=1"
COMMON: Mapping[str, Value] = {"disk_size": READ_SIZE, "written_size": WRITTEN_SIZE}


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest that runs, with what counts for it."""

    side: Side
    counters: Counters
    launched: Launched
    qemu: str
    missing: tuple[str, ...]


def prepare(machine: Machine, places: Places, *, kit: Kit, settings: Mapping[str, Value]) -> Machine:
    """Write the guest's initrd and disk, over DISK, and return the guest as a machine."""
    own = {"peer": HOSTS_ADDRESS, "address": network.USUAL, "disk": "/dev/vda", "written": "/dev/vda"}
    (places.folder / "initrd").write_bytes(kit.initrd({**settings, **own}))
    base = places.folder / DISK
    guest = Machine(
        name=places.name,
        disk=str(base),
        disk_fingerprint=disks.fingerprint(base),
        boot=Boot.DIRECT,
        kernel=machine.kernel,
        initrd=str(places.folder / "initrd"),
        cmdline=CMDLINE,
        accelerator=machine.accelerator,
        memory=MEMORY,
        uuid=machine.uuid,
        channel=Channel.SERIAL,  # there is no agent, so nobody would call over vsock
    )
    disks.create(guest, places, nvram=None)
    return guest


def fill(path: Path, size: int) -> None:
    """Write a file of bytes that no file system leaves out or packs."""
    with path.open("wb") as file:
        for _ in range(0, size, MEBIBYTE):
            file.write(os.urandom(MEBIBYTE))
        file.flush()
        os.fsync(file.fileno())  # or it would be written during the measurement


@contextlib.asynccontextmanager
async def running(
    machine: Machine, places: Places, *, name: str = "guest", tuning: Tuning | None = None
) -> AsyncIterator[Guest]:
    """Run the measuring program in a guest; it ends with the block. A `tuning` is used in place of the host's."""
    launched = launch(machine, places, start=Start(network=network.SLIRP, balloon=False), tuning=tuning)
    side = Side(name, launched.console)
    control: qmp.Qmp | None = None
    counters: Counters | None = None
    try:
        control = await _connect(launched, places)
        emulated = launched.accelerator.kind == accelerator.TCG
        counters, why = await open_counters(control, process=launched.process.pid, emulated=emulated)
        missing = (why,) if why else ()
        yield Guest(side, counters, launched, qemu=await control.version(), missing=missing)
    finally:
        if counters is not None:
            counters.close()
        if control is not None:
            with contextlib.suppress(JeosError, TimeoutError):
                await asyncio.wait_for(control.quit(), timeout=QUIT_SECONDS)
            await control.close()
        for process in (launched.process, *launched.helpers):
            end_process(process)
        side.close()
        launched.qmp.close()


async def _connect(launched: Launched, places: Places) -> qmp.Qmp:
    try:
        return await qmp.connect(launched.qmp)
    except MachineError as error:
        said = places.qemu_log.read_text(errors="replace").rstrip()
        raise MachineError(f"{error.message}\n  {said}", hint="try --accel tcg, and see `jeos doctor`") from None


def end_process(process: "subprocess.Popen[bytes]") -> None:
    """End a process that was started here, if it has not."""
    if process.poll() is None:
        process.kill()
    process.wait()
