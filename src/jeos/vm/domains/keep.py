"""Saving a machine on libvirt, in the form in which `saves` lists and loads what was saved of machines.

    await save(subject, name="before", stop=False)

libvirt writes the memory to a file and ends the domain; then each disk keeps its state, under the same tag, and the
domain is brought back. So the machine is away for a moment, and connections to it break: the price of one way that
works for all firmware, where libvirt's own snapshots do not.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from jeos.core import files
from jeos.core.errors import JeosError
from jeos.core.run import run
from jeos.model.machine import Machine, State
from jeos.model.saved import Saved
from jeos.vm.domains.monitor import DomainMonitor
from jeos.vm.places import Places
from jeos.vm.saved_files import DEVICES, PARTIAL, PREFIX, complete, states


@dataclass(frozen=True, slots=True)
class Subject:
    """The machine that is saved, and how it runs."""

    monitor: DomainMonitor
    machine: Machine
    state: State
    places: Places
    agent: bool


async def save(subject: Subject, *, name: str, stop: bool) -> Saved:
    """Save a machine and end its domain; without `stop` it is brought back, paused. Raises MachineError."""
    tag = os.urandom(8).hex()
    saved = Saved(
        name=name,
        tag=tag,
        machine=subject.machine,
        taken=time.time(),
        qemu=await subject.monitor.version(),
        accelerator=subject.state.accelerator,
        network=subject.state.network,
        version=subject.state.version,
        agent=subject.agent,
        stopped=stop,
    )
    return await asyncio.to_thread(_save, subject, saved)


def _save(subject: Subject, saved: Saved) -> Saved:
    places = subject.places
    places.saved.mkdir(mode=0o700, exist_ok=True)
    with files.temporary_folder(places.saved, prefix=PARTIAL) as around:
        work = around / saved.tag
        work.mkdir(mode=0o700)
        memory = work / DEVICES
        subject.monitor.save(memory)
        try:
            found = _complete(subject, work, saved)
            work.rename(places.saved / saved.tag)
            memory = places.saved / saved.tag / DEVICES
        except (JeosError, OSError):
            subject.monitor.restore(memory)
            raise
        files.sync_folder(places.saved)
        if not saved.stopped:
            subject.monitor.restore(memory)
    return found


def _complete(subject: Subject, work: Path, saved: Saved) -> Saved:
    """Keep the disks' states, the properties and, last, the description."""
    for disk in disks_of(subject.machine, subject.places):
        run(["qemu-img", "snapshot", "-q", "-c", PREFIX + saved.tag, disk])
    return complete(work, saved, credentials=subject.places.credentials)


def disks_of(machine: Machine, places: Places) -> list[Path]:
    """Return the machine's own disks."""
    return [places.disk, *(places.other_disk(number) for number in range(len(machine.other_disks)))]


def sweep(machine: Machine, places: Places) -> None:
    """Delete states of disks that belong to nothing that is saved; the machine must not run."""
    kept = {path.name for path in places.saved.iterdir()} if places.saved.is_dir() else set()
    for disk in disks_of(machine, places):
        for state in states(disk):
            if state.startswith(PREFIX) and state.removeprefix(PREFIX) not in kept:
                run(["qemu-img", "snapshot", "-q", "-d", state, disk])
