"""Run the measuring program on the host and in a guest, one quantity after another, each here and then there.

    report = measure(machine, quick=True, folder=cache, heard=print)

The two take turns, so that a host that is busy for a while disturbs both sides of the same comparison. The guest is
what `jeos run` would start directly (one processor, its own accelerator, disk and network), with the measuring program
in place of a system. Nothing is left when it ends: the guest's files are in a folder that goes, and QEMU with it.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from jeos.core import files
from jeos.core.errors import JeosError, MachineError
from jeos.core.run import spawn
from jeos.measure.counters import PROCESSOR, WAITED, Counters, difference, open_counters
from jeos.measure.kit import Kit, Value, read_kit
from jeos.measure.peer import LOOPBACK, Peer
from jeos.measure.protocol import Done, End, Fact, Lacks, Ready, Stop, Warm
from jeos.measure.quantities import BY_NAME, QUANTITIES
from jeos.measure.report import Measured, Report, Result, measured
from jeos.measure.side import Side
from jeos.model.machine import Boot, Machine
from jeos.model.saved import Start
from jeos.vm import accelerator, disks, network, qmp
from jeos.vm.launch import Launched, launch
from jeos.vm.places import Places

MEBIBYTE = 1 << 20
MEMORY = 512  # MiB of the guest
READ_SIZE, WRITTEN_SIZE = 64 * MEBIBYTE, MEBIBYTE  # of the disks that are read and written
# A repetition takes 1 ms, so that most are undisturbed: schedulers give processors away for 3 ms and more.
SLICE = 1e6  # nanoseconds
REPETITIONS = {True: 100, False: 400}  # quick and full
BUDGET = {True: 0.5e9, False: 2e9}  # nanoseconds after which no repetition begins, once there are a few
HOSTS_ADDRESS = "10.0.2.2"  # in QEMU's own network, where it leads to the host's loopback device
SHORT = Path("/tmp")  # sockets lie here, because their paths must be short
PREFIX = "jeos-overhead-"
QUIT_SECONDS = 5.0
CMDLINE = "quiet loglevel=1 panic=1"

Heard = Callable[[Result], None]
Said = TypeVar("Said", Warm, Stop, Done)


@dataclass(frozen=True, slots=True)
class _Guest:
    """A guest that runs, with what counts for it."""

    side: Side
    counters: Counters
    launched: Launched
    qemu: str
    missing: tuple[str, ...]


def measure(machine: Machine, *, quick: bool, folder: Path, heard: Heard) -> Report:
    """Measure in a guest with the kernel and the interpreter of a machine that starts directly, and on this host.

    `folder` is for the disks of the measurement; `heard` is told each result as it comes.
    Raises InputError for a machine that jeos did not build, and what starting a machine raises.
    """
    kit = read_kit(machine)
    began = time.monotonic()
    with (
        files.temporary_folder(folder, prefix=PREFIX) as work,
        files.temporary_folder(SHORT, prefix=PREFIX) as sockets,
        Peer() as peer,
    ):
        places = Places(name=f"overhead-{os.getpid()}", folder=work, runtime=sockets)
        common: dict[str, Value] = {
            "slice": SLICE,
            "budget": BUDGET[quick],
            "repetitions": REPETITIONS[quick],
            "port": peer.port,
        }
        common |= {"disk_size": READ_SIZE, "written_size": WRITTEN_SIZE}
        fill(work / "read.img", READ_SIZE)
        fill(work / "written.img", WRITTEN_SIZE)
        own = {"peer": LOOPBACK, "disk": str(work / "read.img"), "written": str(work / "written.img")}
        kit.lay_out(work / "host", {**common, **own})
        guest_machine = prepare(machine, places, kit=kit, settings=common)
        report = asyncio.run(_take_turns(guest_machine, places, command=kit.command(work / "host"), heard=heard))
    return replace(report, quick=quick, seconds=time.monotonic() - began)


def prepare(machine: Machine, places: Places, *, kit: Kit, settings: Mapping[str, Value]) -> Machine:
    """Write the guest's initrd and disk, and return the guest as a machine."""
    own = {"peer": HOSTS_ADDRESS, "address": network.USUAL, "disk": "/dev/vda", "written": "/dev/vda"}
    (places.folder / "initrd").write_bytes(kit.initrd({**settings, **own}))
    base = places.folder / "read.img"
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


async def _take_turns(machine: Machine, places: Places, *, command: list[str], heard: Heard) -> Report:
    load = os.getloadavg()[0]
    async with _guest(machine, places) as guest:
        with _host(command) as here:
            facts: dict[str, dict[str, str]] = {here.name: {}, guest.side.name: {}}
            first = await guest.counters.read()
            found = {}
            while names := [await _next(side, facts[side.name]) for side in (here, guest.side)]:
                if len(set(names)) != 1:
                    raise MachineError(f"the two sides are not at the same measurement: {', '.join(names)}")
                if not names[0]:
                    break
                found[names[0]] = await _one(names[0], here, guest)
                heard(found[names[0]])
            total = difference(first, await guest.counters.read())
    chosen = guest.launched.accelerator
    paging = "software" if chosen.kind == accelerator.TCG else chosen.paging
    return Report(
        accelerator=chosen.kind,
        reason=chosen.reason,
        paging=paging,
        qemu=guest.qemu,
        network=guest.launched.network.kind,
        host=facts[here.name],
        guest=facts[guest.side.name],
        results=tuple(found[each.name] for each in QUANTITIES if each.name in found),
        missing=guest.missing,
        load=load,
        processors=len(os.sched_getaffinity(0)),
        waited=_part(total),
    )


def _part(total: Mapping[str, float]) -> float | None:
    """Return the part of the time that the guest's processor was ready in which it had to wait for the host's."""
    ready = total.get(WAITED, 0.0) + total.get(PROCESSOR, 0.0)
    return total.get(WAITED, 0.0) / ready if ready else None


async def _next(side: Side, facts: dict[str, str]) -> str:
    """Return the name of what a side is ready to measure, "" if it is at its end; keep the facts that it tells."""
    while True:
        said = await side.hear()
        if isinstance(said, Fact):
            facts[said.name] = said.text
        elif isinstance(said, Ready):
            return said.name
        elif isinstance(said, End):
            return ""


async def _one(name: str, here: Side, guest: _Guest) -> Result:
    """Measure one quantity on the host, then in the guest, with the counters around it."""
    assert name in BY_NAME, f"probe/*.lua and quantities.py do not agree on {name}"
    lacks: dict[str, str] = {}
    on_host = None
    if await _let(here, Warm, lacks) and await _let(here, Stop, lacks):
        on_host = await _let(here, Done, lacks)
    if not await _let(guest.side, Warm, lacks):
        return Result(name, host=_kept(on_host), lacks=lacks)
    before = await guest.counters.read()
    stopped = await _let(guest.side, Stop, lacks)
    after = await guest.counters.read()  # before it says its numbers: each letter is an exit
    in_guest = await _let(guest.side, Done, lacks) if stopped else None
    each = in_guest.operations if in_guest else 1
    costs = {counter: count / each for counter, count in difference(before, after).items()} if in_guest else {}
    return Result(name, host=_kept(on_host), guest=_kept(in_guest), lacks=lacks, costs=costs)


async def _let(side: Side, end: type[Said], lacks: dict[str, str]) -> Said | None:
    """Let a side prepare what it is ready for (`Warm`), measure it (`Stop`), tell of it (`Done`); None if it cannot."""
    await side.go()
    while True:
        said = await side.hear()
        if isinstance(said, end):
            return said
        if isinstance(said, Lacks):
            lacks[side.name] = said.why
            return None


def _kept(done: Done | None) -> Measured | None:
    return None if done is None else measured(done)


@contextlib.contextmanager
def _host(command: list[str]) -> Iterator[Side]:
    """Run the measuring program here; it ends with the block."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = spawn(command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=theirs.fileno())
    side = Side("host", ours)
    try:
        yield side
    finally:
        side.close()
        _end_process(process)


@contextlib.asynccontextmanager
async def _guest(machine: Machine, places: Places) -> AsyncIterator[_Guest]:
    """Run the measuring program in a guest; it ends with the block."""
    launched = launch(machine, places, start=Start(network=network.SLIRP, balloon=False))
    side = Side("guest", launched.console)
    control: qmp.Qmp | None = None
    counters: Counters | None = None
    try:
        control = await _connect(launched, places)
        emulated = launched.accelerator.kind == accelerator.TCG
        counters, why = await open_counters(control, process=launched.process.pid, emulated=emulated)
        missing = (why,) if why else ()
        yield _Guest(side, counters, launched, qemu=await control.version(), missing=missing)
    finally:
        if counters is not None:
            counters.close()
        if control is not None:
            with contextlib.suppress(JeosError, TimeoutError):
                await asyncio.wait_for(control.quit(), timeout=QUIT_SECONDS)
            await control.close()
        for process in (launched.process, *launched.helpers):
            _end_process(process)
        side.close()
        launched.qmp.close()


async def _connect(launched: Launched, places: Places) -> qmp.Qmp:
    try:
        return await qmp.connect(launched.qmp)
    except MachineError as error:
        said = places.qemu_log.read_text(errors="replace").rstrip()
        raise MachineError(f"{error.message}\n  {said}", hint="try --accel tcg, and see `jeos doctor`") from None


def _end_process(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
