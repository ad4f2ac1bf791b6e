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
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from jeos.core import files
from jeos.core.errors import MachineError
from jeos.core.run import spawn
from jeos.measure.counters import PROCESSOR, WAITED, difference
from jeos.measure.guest import COMMON, DISK, READ_SIZE, SHORT, WRITTEN_SIZE, Guest, end_process, fill, prepare, running
from jeos.measure.kit import Value, read_kit
from jeos.measure.peer import LOOPBACK, Peer
from jeos.measure.protocol import Done, Stop, Warm
from jeos.measure.quantities import BY_NAME, QUANTITIES
from jeos.measure.report import Measured, Report, Result, measured
from jeos.measure.side import Side
from jeos.measure.turns import let, next_name
from jeos.model.machine import Machine
from jeos.vm import accelerator
from jeos.vm.places import Places

# A repetition takes 1 ms, so that most are undisturbed: schedulers give processors away for 3 ms and more.
SLICE = 1e6  # nanoseconds
REPETITIONS = {True: 100, False: 400}  # quick and full
BUDGET = {True: 0.5e9, False: 2e9}  # nanoseconds after which no repetition begins, once there are a few
PREFIX = "jeos-overhead-"

Heard = Callable[[Result], None]


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
            **COMMON,
        }
        fill(work / DISK, READ_SIZE)
        fill(work / "written.img", WRITTEN_SIZE)
        own = {"peer": LOOPBACK, "disk": str(work / DISK), "written": str(work / "written.img")}
        kit.lay_out(work / "host", {**common, **own})
        guest_machine = prepare(machine, places, kit=kit, settings=common)
        report = asyncio.run(_take_turns(guest_machine, places, command=kit.command(work / "host"), heard=heard))
    return replace(report, quick=quick, seconds=time.monotonic() - began)


async def _take_turns(machine: Machine, places: Places, *, command: list[str], heard: Heard) -> Report:
    load = os.getloadavg()[0]
    async with running(machine, places) as guest:
        with _host(command) as here:
            facts: dict[str, dict[str, str]] = {here.name: {}, guest.side.name: {}}
            first = await guest.counters.read()
            found = {}
            while names := [await next_name(side, facts[side.name]) for side in (here, guest.side)]:
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


async def _one(name: str, here: Side, guest: Guest) -> Result:
    """Measure one quantity on the host, then in the guest, with the counters around it."""
    assert name in BY_NAME, f"probe/*.lua and quantities.py do not agree on {name}"
    lacks: dict[str, str] = {}
    on_host = None
    if await let(here, Warm, lacks) and await let(here, Stop, lacks):
        on_host = await let(here, Done, lacks)
    if not await let(guest.side, Warm, lacks):
        return Result(name, host=_kept(on_host), lacks=lacks)
    before = await guest.counters.read()
    stopped = await let(guest.side, Stop, lacks)
    after = await guest.counters.read()  # before it says its numbers: each letter is an exit
    in_guest = await let(guest.side, Done, lacks) if stopped else None
    each = in_guest.operations if in_guest else 1
    costs = {counter: count / each for counter, count in difference(before, after).items()} if in_guest else {}
    return Result(name, host=_kept(on_host), guest=_kept(in_guest), lacks=lacks, costs=costs)


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
        end_process(process)
