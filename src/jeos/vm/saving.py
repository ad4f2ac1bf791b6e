"""Saving a running machine: what the supervisor does when it is ordered to.

    {"order": "save", "name": "saved", "stop": false}       {"tag": …, "size": …, "seconds": …}
    {"order": "forget", "tag": …}                           {}

The machine stands still while its memory is written. Its disks keep the state of that instant inside of their files
(qcow2's internal snapshots), under the same tag as the folder with the memory; that is complete when it has its name.
A state of a disk whose folder is not there is what a killed order left, and is deleted by the next one.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from jeos.core import files
from jeos.core.errors import MachineError
from jeos.model.machine import Machine, State
from jeos.model.saved import Saved, Start
from jeos.vm import fleece, migration
from jeos.vm.nodes import NODE
from jeos.vm.places import Places
from jeos.vm.qmp import Qmp
from jeos.vm.saved_files import DEVICES, PARTIAL, PREFIX, TAG, complete, drop


@dataclass(frozen=True, slots=True)
class Subject:
    """The machine that is saved, and how it runs."""

    qmp: Qmp
    machine: Machine
    state: State
    places: Places
    agent: bool
    start: Start
    packed: bool


async def save(subject: Subject, *, name: str, stop: bool) -> Saved:
    """Save a machine that stands still. Raises MachineError, with everything taken back."""
    await sweep(subject.qmp, subject.places.saved)
    tag = os.urandom(8).hex()
    disks = [disk.node for disk in await fleece.disks(subject.qmp)]
    described = await _described(subject, name=name)
    saved = replace(described, tag=tag, first_address=subject.start.first_address, stopped=stop)
    await _mark(subject.qmp, disks, tag)
    try:
        return await _write(subject, subject.places.saved / tag, saved, shared=False)
    except BaseException:
        await _forget(subject.qmp, disks, tag)
        raise


async def save_template(subject: Subject, folder: Path) -> Saved:
    """Write what the devices of a machine hold whose memory is a file already. Raises MachineError."""
    saved = replace(await _described(subject, name=subject.machine.name), stopped=True)
    return await _write(subject, folder, saved, shared=True)


async def _described(subject: Subject, *, name: str) -> Saved:
    """Return what is to be known of a machine before it can be brought back."""
    return Saved(
        name=name,
        tag="",
        machine=subject.machine,
        taken=time.time(),
        qemu=await subject.qmp.version(),
        accelerator=subject.state.accelerator,
        network=subject.state.network,
        version=subject.state.version,
        agent=subject.agent,
        balloon=subject.start.balloon,
        vsock=subject.state.cid != 0,
        packed=subject.packed,
    )


async def _write(subject: Subject, folder: Path, saved: Saved, *, shared: bool) -> Saved:
    """Write the memory and the description into a folder, which gets its name when all is on the disk."""
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    with files.temporary_folder(folder.parent, prefix=PARTIAL) as around:
        work = around / folder.name
        work.mkdir(mode=0o700)
        try:
            with (work / DEVICES).open("wb") as file:
                await migration.save(subject.qmp, file.fileno(), shared=shared)
                os.fsync(file.fileno())
        except MachineError as error:
            if os.statvfs(work).f_bavail == 0:
                raise files.full_disk(work / DEVICES, hint="free some room, then try again") from None
            raise MachineError(error.message, hint=error.hint or "`jeos stop` and `jeos run` need no saving") from None
        found = complete(work, saved, credentials=subject.places.credentials)
        work.rename(folder)
    files.sync_folder(folder.parent)
    return found


async def forget(qmp: Qmp, folder: Path, *, tag: str) -> None:
    """Delete what was saved under a tag. Raises MachineError."""
    if not TAG.fullmatch(tag):
        raise MachineError(f"{tag!r} is no tag of what was saved")
    drop(folder / tag)
    await _forget(qmp, [disk.node for disk in await fleece.disks(qmp)], tag)


async def sweep(qmp: Qmp, folder: Path) -> None:
    """Delete states of disks that belong to nothing that is saved: their order was killed midway."""
    kept = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for node, tags in (await _tags(qmp)).items():
        for tag in tags:
            if tag not in kept:
                await _forget(qmp, [node], tag)


async def _mark(qmp: Qmp, disks: Sequence[str], tag: str) -> None:
    """Keep the state of all disks, or of none."""
    kind = "blockdev-snapshot-internal-sync"
    actions = [{"type": kind, "data": {"device": node, "name": PREFIX + tag}} for node in disks]
    await qmp.execute("transaction", {"actions": actions})


async def _forget(qmp: Qmp, disks: Sequence[str], tag: str) -> None:
    known = await _tags(qmp)
    for node in disks:
        if tag in known.get(node, ()):
            await qmp.execute("blockdev-snapshot-delete-internal-sync", {"device": node, "name": PREFIX + tag})


async def _tags(qmp: Qmp) -> Mapping[str, Sequence[str]]:
    """Return the tags of the states that each disk keeps."""
    found = {}
    for entry in cast(Sequence[Mapping[str, object]], await qmp.execute("query-block")):
        inserted = entry.get("inserted")
        if isinstance(inserted, dict) and NODE.fullmatch(str(inserted.get("node-name", ""))):
            names = [str(one["name"]) for one in inserted["image"].get("snapshots", ())]
            found[str(inserted["node-name"])] = [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]
    return found
