"""Convert a machine: look at it, plan what to mend, copy its disks, mend the copies, write them in the wanted format.

    with open_source(["legacy.ova"]) as source:
        plan(source, request)                     # what would be done: nothing is written
        convert(source, request)                  # server.qcow2, and beside it what it needs to run and what was done

The source is only read. Whatever fails, or is killed, leaves no file of the new names: work is done in a folder beside
them that goes with us, and names are given at the end.
"""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from jeos.convert import adapt, apply, resize, result
from jeos.convert.apply import Part
from jeos.convert.cards import cards
from jeos.convert.changes import Fix
from jeos.convert.inspect import Inspection, inspect
from jeos.convert.machine import Machine
from jeos.convert.result import Conversion, Request
from jeos.convert.source import Source
from jeos.convert.survey import Volume
from jeos.convert.writers import writer_for
from jeos.core import files, log
from jeos.core.errors import HostError, InputError, JeosError
from jeos.core.leftovers import work_folder
from jeos.core.settings import cache_dir
from jeos.disk import formats
from jeos.disk.blocks import Blocks, File, pieces
from jeos.disk.compare import difference
from jeos.disk.formats import raw_write
from jeos.disk.formats.ordered import Effort
from jeos.disk.formats.siblings import Place
from jeos.disk.volumes import firmware
from jeos.disk.watched import Watched
from jeos.model import hardware, ovf
from jeos.model.hardware import MOST_CARDS, MOST_DISKS, Hardware
from jeos.model.machine import Boot

USUAL_MEMORY, USUAL_CPUS = 1024, 1  # of a machine that nobody says anything about: MiB, processors
LEAST_ROOM = 64 << 20  # bytes beside the data: tables, what fixes add
READ_ONLY = ("erofs", "squashfs")  # file systems that are made as a whole
_AS_IT_IS = "or have its disks converted as they are, with --no-fixes"
WORK_PREFIX = ".jeos-convert-"
NOTES = "work-folders"  # in the cache: where conversions work, or were killed


class Writer(Protocol):
    """A module that writes a disk format."""

    def write(self, blocks: Blocks, file: BinaryIO, *, effort: Effort = Effort.USUAL) -> None:
        """Write a disk into an empty file."""
        ...


def plan(source: Source, request: Request) -> Conversion:
    """Return what would be done. Raises JeosError for what would keep it from being done."""
    check_names(source, request)
    with log.step("inspect") as step:
        found = inspect([disk.blocks for disk in source.disks])
        step.done(", ".join(system.pretty or system.family for system in found.survey.systems) or "no system")
    fixes, parts = _mend_plan(found, request)
    _check_host(source, found, parts, request)
    return _conversion(source, found, fixes, request, notes=_notes(found, fixes, request))


def convert(source: Source, request: Request) -> Conversion:
    """Convert, and return what was done. Raises JeosError; then nothing has been written."""
    plan(source, request)
    _prove(source)
    with work_folder(request.path.absolute().parent, prefix=WORK_PREFIX, notes=cache_dir() / NOTES) as work:
        copies = _copy(source, work)
        if request.mend or request.size:
            _settle(copies)
        grown = _grow(copies, request)
        with ExitStack() as stack:
            found = _inspect(copies, stack=stack)
            fixes, parts = _mend_plan(found, request)
            apply.check(parts, found.survey)
            _apply(found, parts, copies)
            notes = (*grown, *_notes(found, fixes, request))
            done = _conversion(source, found, fixes, request, notes=notes)
        return _write(done, copies, request)


def _prove(source: Source) -> None:
    """Raise TrustError if a package is not as its manifest or its signature says."""
    if source.package is not None:
        from jeos.disk import ova  # slow to load, and there already where there is a package

        ova.prove(source.package)


def check_names(source: Source, request: Request) -> None:
    """Raise UsageError if one of the new files is there, or is the source."""
    origins = [Path(disk.name) for disk in source.disks if disk.format != "ssh"]
    for number in range(len(source.disks)):
        path = result.disk_path(request.path, number)
        origin = next((one for one in origins if one.exists() and path.exists() and path.samefile(one)), None)
        files.check_new(path, force=request.force, origin=origin)
    for path in (hardware.place(request.path), result.place(request.path)):
        files.check_new(path, force=request.force)


def _mend_plan(found: Inspection, request: Request) -> tuple[tuple[tuple[Fix, ...], ...], tuple[Part, ...]]:
    """Return the fixes of each system, and what they mean for each file system."""
    if not request.mend:
        return tuple(() for _ in found.survey.systems), ()
    _refuse_locked(found)
    fixes = tuple(adapt.plan(machine, request.options) if _writable(machine) else () for machine in found.machines())
    for fix in (fix for planned in fixes for fix in planned if fix.stops):
        raise InputError(fix.cannot[0], hint=_AS_IT_IS)
    parts: list[Part] = []
    for machine, planned in zip(found.machines(), fixes, strict=True):
        parts += apply.plan(machine.root, [change for fix in planned for change in fix.changes])
    return fixes, tuple(parts)


def _writable(machine: Machine) -> bool:
    """Tell whether a system can be mended at all: an appliance's is read-only, and brings what it needs."""
    return machine.root.mounts[""].filesystem.kind not in READ_ONLY


def _refuse_locked(found: Inspection) -> None:
    """Raise InputError for a machine whose only system is on a volume that BitLocker locks."""
    locked = [volume.name for volume in found.survey.volumes if volume.content == "BitLocker"]
    if locked and not found.survey.systems:
        raise InputError(
            f"{locked[0]} is locked by BitLocker: run `manage-bde -off C:` in Windows, wait until it has decrypted the "
            "volume, shut it down, and take the disk again",
            hint=_AS_IT_IS,
        )


def _check_host(source: Source, found: Inspection, parts: Sequence[Part], request: Request) -> None:
    """Raise HostError if this machine lacks programs or room, InputError if a file system in the machine does."""
    if len(source.disks) - 1 > MOST_DISKS:
        raise InputError(f"the machine has {len(source.disks)} disks; {MOST_DISKS + 1} is the most")
    if request.size:
        resize.check(request.size, found=found)
    apply.check(parts, found.survey)
    if request.mend or request.size:
        for volume in _unsettled(found):
            writer_for(volume.content).check_host()
    data = sum(end - start for disk in source.disks for start, end in disk.blocks.data(0, disk.blocks.size))
    needed = data * (1 if request.format == "raw" else 2) + LEAST_ROOM
    folder = next(one for one in request.path.absolute().parents if one.is_dir())
    free = shutil.disk_usage(folder).free
    if needed > free and all(disk.format != "ssh" for disk in source.disks):  # of those nobody knows what is in them
        raise HostError(
            f"{folder} has room for {free >> 20} MiB, and the conversion takes up to {needed >> 20} MiB",
            hint="free some room, or write to a larger disk: -o FILE",
        )


def _notes(found: Inspection, fixes: Sequence[Sequence[Fix]], request: Request) -> tuple[str, ...]:
    """Return what is worth knowing: what was seen, what cannot be mended, what to set on the new home."""
    notes = [*found.survey.notes, *(note for system in found.survey.systems for note in system.notes)]
    if request.mend:
        notes += [
            f"the system on {machine.system.volume} is read-only, and stays as it is"
            for machine in found.machines()
            if not _writable(machine)
        ]
    if not found.survey.systems:
        notes.append("no operating system was found, and nothing was mended")
    notes += [text for planned in fixes for fix in planned for text in fix.cannot]
    return tuple(dict.fromkeys(notes))


def _conversion(
    source: Source, found: Inspection, fixes: tuple[tuple[Fix, ...], ...], request: Request, *, notes: tuple[str, ...]
) -> Conversion:
    return Conversion(
        name=source.name,
        origins=tuple(disk.name for disk in source.disks),
        survey=found.survey,
        fixes=fixes,
        hardware=_hardware(source, found, request),
        notes=(*source.notes, *notes),
    )


def _hardware(source: Source, found: Inspection, request: Request) -> Hardware:
    """Return what the machine needs to run: as its description says, as far as its disks agree."""
    described = source.system
    ways = found.survey.systems[0].boot.firmware if found.survey.systems else ""
    if ways == "bios+uefi" and described is not None:
        ways = "uefi" if described.firmware is ovf.Firmware.EFI else "bios"
    ways = ways or firmware.wanted(source.disks[0].blocks)
    macs = list(source.macs)
    for system in found.survey.systems[:1]:
        macs += [
            card.mac for card in cards(system, macs=source.macs, home=request.options.hosts[0]) if card.mac not in macs
        ]
    return Hardware(
        boot=Boot.FIRMWARE if "uefi" in ways else Boot.BIOS,
        memory=(described.memory if described else None) or USUAL_MEMORY,
        cpus=described.cpus if described else USUAL_CPUS,
        macs=tuple(macs[:MOST_CARDS]),
        disks=tuple(result.disk_path(request.path, number).name for number in range(1, len(source.disks))),
    )


def _copy(source: Source, work: Path) -> list[Path]:
    """Copy the disks into raw files with holes."""
    copies = []
    with log.step("copy") as step:
        for number, disk in enumerate(source.disks):
            which = f"disk {number + 1} of {len(source.disks)}, " if len(source.disks) > 1 else ""

            def tell(done: int, size: int, which: str = which) -> None:
                step.update(f"{which}{done * 100 // max(1, size)} %")

            copy = work / f"disk-{number}"
            with copy.open("xb") as file:
                watched = Watched(disk.blocks, tell=tell)
                if disk.format == "ssh":  # in its order, or each piece would begin a stream anew
                    for offset, content in pieces(watched):
                        file.seek(offset)
                        file.write(content)
                    file.truncate(watched.size)
                else:
                    raw_write.write(watched, file)
            copies.append(copy)
        step.done(f"{sum(copy.stat().st_blocks * 512 for copy in copies) >> 20} MiB")
    return copies


def _grow(copies: Sequence[Path], request: Request) -> tuple[str, ...]:
    if not request.size:
        return ()
    with log.step("resize") as step:
        with ExitStack() as stack:
            root = resize.root_volume(_inspect(copies, stack=stack))
        notes = resize.grow(copies[0], size=request.size, root=root)
        step.done(f"{request.size >> 20} MiB")
    return notes


def _inspect(copies: Sequence[Path], *, stack: ExitStack) -> Inspection:
    return inspect([stack.enter_context(File(copy)) for copy in copies])


def _settle(copies: Sequence[Path]) -> None:
    """Replay the journals of the file systems that belong to a system, which may change what is to be mended."""
    with ExitStack() as stack:
        found = _inspect(copies, stack=stack)
        for volume in _unsettled(found):
            part = found.part(volume.name)
            assert part is not None
            with log.step("journal") as step:
                apply.settle(part, kind=volume.content, disks=copies)
                step.done(f"{volume.content} on {volume.name}")


def _unsettled(found: Inspection) -> list[Volume]:
    """Return the file systems of systems whose journals wait to be replayed."""
    wanted = {mounted.volume for machine in found.machines() for mounted in machine.root.mounts.values()}
    return [
        volume
        for volume in found.survey.volumes
        if not volume.clean and volume.name in wanted and volume.content != "ntfs" and found.part(volume.name)
    ]


def _apply(found: Inspection, parts: Sequence[Part], copies: Sequence[Path]) -> None:
    if not parts:
        return
    with log.step("mend") as step:
        apply.apply(parts, {volume.name: volume for volume in found.layout.volumes}, disks=copies)
        count = sum(len(part.edits) + len(part.changes) for part in parts)
        step.done(f"{count} changes on {', '.join(part.volume for part in parts)}")


def _write(done: Conversion, copies: Sequence[Path], request: Request) -> Conversion:
    """Write the copies in the wanted format, compare, and give all files their names."""
    paths = [result.disk_path(request.path, number) for number in range(len(copies))]
    if request.format == "raw":
        for copy, path in zip(copies, paths, strict=True):
            with copy.open("rb+") as file:
                file.flush()
                files.sync_file_system(path.absolute().parent)
            copy.chmod(0o644)
            copy.replace(path)
    else:
        with ExitStack() as named:
            for copy, path in zip(copies, paths, strict=True):
                _write_disk(copy, named.enter_context(files.replace(path, full=files.ROOM_FOR_FILE)), path, request)
    finished = Conversion(
        done.name, done.origins, done.survey, done.fixes, done.hardware, disks=tuple(paths), notes=done.notes
    )
    files.write(hardware.place(request.path), hardware.text(done.hardware))
    files.write(result.place(request.path), result.text(finished))
    return finished


def _write_disk(copy: Path, file: BinaryIO, path: Path, request: Request) -> None:
    writer = cast(Writer, import_module(f"jeos.disk.formats.{request.format}_write"))
    with File(copy) as disk:
        with log.step("write") as step:
            watched = Watched(disk, tell=lambda done, size: step.update(f"{done * 100 // max(1, size)} %"))
            writer.write(watched, file, effort=request.effort)
            file.flush()
            step.done(f"{path.name}, {file.seek(0, 2) >> 20} MiB")
        with log.step("compare") as step, File(Path(f"/proc/self/fd/{file.fileno()}")) as written:
            watched = Watched(disk, tell=lambda done, size: step.update(f"{done * 100 // max(1, size)} %"))
            place = difference(watched, formats.open_as(written, Place(), format=request.format))
            if place is not None:
                raise JeosError(
                    f"{path}: what was written is not what was read, from byte {place} of the disk on",
                    hint="try again; if it happens again, this machine's disk or memory fails, or jeos is wrong",
                )
            step.done("the same")
