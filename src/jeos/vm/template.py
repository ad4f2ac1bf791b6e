"""Templates: an appliance that has booted once and is healthy, kept with its memory; later starts go on from there.

    template.create(machine, values={}, seconds=180)
    machine, start = template.copy_of("web", name="web-2", forwards=None)
    session.run(machine, values=template.values("web"), start=start)

All copies map the template's memory privately: what none of them has changed they share. Their disks lie over the
template's. A template has no balloon: what one guest gives back would be gone from the file, for all of them.
"""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jeos.core import files
from jeos.core.errors import InputError, MachineError, UsageError
from jeos.model.machine import NAME_PATTERN, Forward, Machine, OtherDisk, check_name
from jeos.model.saved import Saved, Start, parse_saved, saved_text
from jeos.vm import disks, network, orders, session
from jeos.vm.command import mac_addresses
from jeos.vm.guest import Guest
from jeos.vm.places import Places, places_of, templates_dir
from jeos.vm.saved_files import ABOUT, CREDENTIALS, DEVICES, PARTIAL, RAM
from jeos.vm.saves import SECONDS
from jeos.vm.usage import processor_seconds

QUIET, LOOK_SECONDS = 0.05, 1.0  # of a processor, over so long, is a guest at rest
QUIET_SECONDS = 30.0  # after which one that never rests is taken as it is
SUFFIX = "-template"  # of the machine's name while it boots
KERNEL_UUID = Path("/proc/sys/kernel/random/uuid")


@dataclass(frozen=True, slots=True)
class Template:
    """A template: its name, the folder, what was saved, and the bytes that its files take."""

    name: str
    folder: Path
    saved: Saved
    size: int


def listed() -> list[Template]:
    """Return all templates, by name; one that is damaged is left out."""
    folder = templates_dir()
    names = (
        sorted(path.name for path in folder.iterdir() if NAME_PATTERN.fullmatch(path.name)) if folder.is_dir() else []
    )
    found = []
    for name in names:
        try:
            found.append(find(name))
        except (MachineError, InputError):
            continue
    return found


def find(name: str) -> Template:
    """Return the template of that name; raises MachineError if there is none."""
    folder = templates_dir() / check_name(name)
    try:
        saved = parse_saved((folder / ABOUT).read_text(), source=str(folder / ABOUT))
    except FileNotFoundError:
        raise MachineError(f"there is no template {name}", hint="jeos template create makes one") from None
    return Template(name, folder, saved, sum(path.stat().st_blocks * 512 for path in folder.iterdir()))


def exists(name: str) -> bool:
    """Tell whether there is a template of that name."""
    return bool(NAME_PATTERN.fullmatch(name)) and (templates_dir() / name / ABOUT).exists()


def create(machine: Machine, *, values: Mapping[str, str], nvram: bytes = b"", seconds: float) -> Template:
    """Boot a machine, wait up to `seconds` until it is healthy, and keep it as the template of its name.

    Raises UsageError if there is one, MachineError if the machine does not become healthy or cannot be kept.
    """
    name, final = machine.name, templates_dir() / check_name(machine.name)
    if exists(name):
        raise UsageError(f"there is a template {name} already", hint=f"jeos template rm {name}")
    booted = replace(machine, name=f"{name[: 48 - len(SUFFIX)]}{SUFFIX}", forwards=())
    with files.temporary_folder(templates_dir(), prefix=PARTIAL) as work:
        ram = work / RAM
        session.run(booted, values=values, nvram=nvram, start=Start(ram=str(ram), balloon=False, network=network.SLIRP))
        places = places_of(booted.name)
        try:
            ram.chmod(0o600)
            with Guest(places.guest, deadline=seconds) as guest:
                guest.wait("healthy", deadline=seconds)
                _rehearse(guest, booted)
            kept = work / "kept"
            order = {"order": "save", "into": str(kept), "stop": True}
            orders.order(places.control, order, patience=SECONDS)
            session.stop(booted.name)  # only waits for the supervisor
            ram.rename(kept / RAM)
            _take_disks(booted, places, kept)
        finally:
            session.remove(booted.name, force=True)
        _restate(kept, forwards=machine.forwards)
        files.sync_file_system(kept)
        kept.rename(final)
    return find(name)


def _rehearse(guest: Guest, machine: Machine) -> None:
    """Let the guest come to rest, and do once what each copy will do first: what that needs is in memory then."""
    qemu = session.state(machine.name).qemu
    _wait_until_quiet(qemu)
    macs = {mac: mac for mac in mac_addresses(machine)}
    guest.wake(identity={"machine_id": machine.uuid.replace("-", ""), "macs": macs, "rehearsal": True})
    _wait_until_quiet(qemu)


def _wait_until_quiet(qemu: int) -> None:
    """Wait until a guest does next to nothing: what it has not finished, each copy would have to."""
    until = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < until:
        before = processor_seconds(qemu)
        time.sleep(LOOK_SECONDS)
        if processor_seconds(qemu) - before <= QUIET * LOOK_SECONDS:
            return


def _take_disks(machine: Machine, places: Places, kept: Path) -> None:
    """Move a machine's disks into the template; nothing may write to them any more."""
    moved = [places.disk, *(places.other_disk(number) for number in range(len(machine.other_disks)))]
    for path in (*moved, places.nvram):
        if path.exists():
            shutil.move(path, kept / path.name)
            (kept / path.name).chmod(0o400)


def _restate(kept: Path, *, forwards: Sequence[Forward]) -> None:
    """Note which ports a copy has if it is not told: the machine that booted had none."""
    saved = parse_saved((kept / ABOUT).read_text(), source=str(kept / ABOUT))
    files.write(kept / ABOUT, saved_text(replace(saved, machine=replace(saved.machine, forwards=tuple(forwards)))))


def copy_of(name: str, *, copy: str, forwards: Sequence[Forward] | None) -> tuple[Machine, Start]:
    """Return a machine that goes on from a template, and how it starts. Raises MachineError, or UsageError."""
    template = find(name)
    saved, folder = template.saved, template.folder
    disks.check_base(saved.machine)
    if places_of(check_name(copy)).machine.exists():
        raise UsageError(f"there is a machine {copy} already", hint="--name gives the new one another name")
    disk = folder / "disk.qcow2"
    others = [folder / f"disk-{number + 1}.qcow2" for number in range(len(saved.machine.other_disks))]
    machine = replace(
        saved.machine,
        name=copy,
        disk=str(disk),
        disk_format="qcow2",
        disk_fingerprint=disks.fingerprint(disk),
        disk_size=0,
        other_disks=tuple(OtherDisk(str(path), "qcow2", disks.fingerprint(path)) for path in others),
        uuid=KERNEL_UUID.read_text().strip(),
        created=int(time.time()),
        macs=(),
        forwards=saved.machine.forwards if forwards is None else tuple(forwards),
    )
    start = Start(
        ram=str(folder / RAM),
        private=True,
        devices=str(folder / DEVICES),
        again=False,
        agent=True,
        balloon=False,
        network=network.SLIRP,
        accelerator=saved.accelerator,
        qemu=saved.qemu,
        first_address=network.BEFORE_USUAL,
        packed=saved.packed,
        old_macs=mac_addresses(saved.machine),
    )
    return machine, start


def values(name: str) -> dict[str, str]:
    """Return the properties with which a template booted."""
    folder = find(name).folder / CREDENTIALS
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.is_dir() else {}


def nvram(name: str) -> bytes:
    """Return the firmware's variables of a template; none if it had no firmware."""
    path = find(name).folder / "nvram.fd"
    return path.read_bytes() if path.exists() else b""


def users(name: str) -> list[str]:
    """Return the names of the machines whose disks lie over a template's."""
    folder = str(templates_dir() / name) + os.sep
    return [seen.machine.name for seen in session.all_seen() if seen.machine.disk.startswith(folder)]


def remove(name: str) -> None:
    """Delete a template. Raises MachineError if there is none, or machines need it."""
    folder = find(name).folder
    needed = users(name)
    if needed:
        raise MachineError(f"the template {name} is under the disks of {', '.join(needed)}", hint="jeos rm these first")
    with files.temporary_folder(templates_dir(), prefix=PARTIAL) as doomed:
        folder.rename(doomed / folder.name)
