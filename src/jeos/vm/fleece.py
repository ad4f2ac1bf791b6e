"""A running machine's disks as they were at one instant, exported over NBD while the machine runs on.

    async with fleeced(qmp, folder=…, socket=…, mark="jeos-3f2a-91c0", since="jeos-3f2a-77b1", quiet=…) as fleece:
        …                               # somebody reads fleece.disks from the socket
        fleece.keep = True              # the backup point is complete: the next one may build on `mark`

What the guest overwrites is first copied to a scratch file (QEMU's `copy-before-write`), from which the export
(`snapshot-access`) reads it. If that copy fails or takes too long, the export breaks and the guest does not notice.
All disks take part in the same instant: the processors stand still for it, some milliseconds, so that nothing can be
written between the one disk's and the other's, or between a copying node and the bitmap that records from then on.

A dirty bitmap records in the disk's own qcow2 file what was written since a point. It is dropped only when the next
point is complete; otherwise the records of both are merged, and everything is as it was before.
Source: QEMU, docs/interop/bitmaps.rst and qapi/block-core.json (`BlockdevOptionsCbw`).
"""

import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from jeos.core import log
from jeos.core.errors import JeosError, MachineError
from jeos.vm.nodes import NODE
from jeos.vm.pausing import Executes, Still, standing_still

GRANULARITY = 64 << 10  # bytes that a bit of a bitmap stands for: a backup's chunk
COPY_SECONDS = 10  # that the copy of what the guest overwrites may take before the export breaks
NOW, SCRATCH = "-now", "-scratch"  # after the name of an export: the disk as it is, and what was overwritten since
MARK = re.compile(r"jeos-[0-9a-z-]{1,80}")  # a bitmap of ours


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk as QEMU describes it; `device` is the path of its virtio device, `bitmaps` what it says of each."""

    node: str
    size: int
    device: str
    bitmaps: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    """A disk that can be read: its export's name, its size in bytes, and the bitmap that holds what changed.

    Without a `bitmap` all must be read; `reason` says why.
    """

    export: str
    size: int
    bitmap: str = ""
    reason: str = ""


@dataclass(slots=True)
class Fleece:
    """The disks of an instant; set `keep` when what was read of them is safe."""

    disks: tuple[Exported, ...]
    keep: bool = field(default=False)
    still: float = 0.0  # seconds that the guest's processors stood still


def usable(disk: Disk, since: str, *, sizes: Mapping[str, int]) -> str:
    """Return why a bitmap cannot be trusted to hold all that changed since its point; "" if it can."""
    if not since:
        return "there is no earlier point"
    if sizes.get(disk.node, disk.size) != disk.size:
        return "the disk has another size than at the last point"
    found = next((bitmap for bitmap in disk.bitmaps if bitmap.get("name") == since), None)
    if found is None:
        return "no record of changes was kept since the last point"
    if found.get("inconsistent"):
        return "the record of changes is not whole, because QEMU was killed"
    if found.get("granularity") != GRANULARITY or not found.get("persistent"):
        return "the record of changes is not of the form that jeos makes"
    if found.get("busy") or not found.get("recording"):
        return "the record of changes was interrupted"
    return ""


async def disks(qmp: Executes) -> tuple[Disk, ...]:
    """Return the machine's disks."""
    found = []
    for entry in cast(Sequence[Mapping[str, object]], await qmp.execute("query-block")):
        inserted = entry.get("inserted")
        if not isinstance(inserted, dict) or not NODE.fullmatch(str(inserted.get("node-name", ""))):
            continue
        size = int(inserted["image"]["virtual-size"])
        bitmaps = tuple(inserted.get("dirty-bitmaps", ()))
        found.append(Disk(str(inserted["node-name"]), size, str(entry["qdev"]), bitmaps))
    if not found:
        raise MachineError("the machine has no disk that could be backed up", hint="is a backup of it under way?")
    return tuple(sorted(found, key=lambda disk: (len(disk.node), disk.node)))


Quiet = Callable[[], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def fleeced(
    qmp: Executes,
    *,
    folder: Path,
    socket: Path,
    mark: str,
    since: str,
    quiet: Quiet,
    sizes: Mapping[str, int] | None = None,
    still: Still | None = None,
) -> AsyncIterator[Fleece]:
    """Export the disks as they are at one instant, within `quiet`, until the block ends.

    `folder` has room for what the guest overwrites meanwhile. `mark` names the bitmap that records from the instant
    on, `since` the one of an earlier point, or "", at which the disks had `sizes`. `still` lets the processors stand
    still, where others may want that, too. Raises MachineError; whatever happens, what was done is undone.
    """
    for name in filter(None, (mark, since)):
        if not MARK.fullmatch(name):
            raise MachineError(f"{name!r} cannot be the name of a record of changes", hint="begin it with jeos-")
    found = await disks(qmp)
    reasons = {disk.node: usable(disk, since, sizes=sizes or {}) for disk in found}
    async with AsyncExitStack() as undo:
        work = _Work(qmp, undo)
        for disk in found:
            await work.add_scratch(disk, folder=folder)
        trusted = tuple(disk for disk in found if not reasons[disk.node])
        fleece = Fleece(tuple(_exported(disk, since=since, reason=reasons[disk.node]) for disk in found))
        async with quiet():
            began = time.monotonic()
            async with still() if still else standing_still(qmp):
                await work.mark(found, trusted, mark=mark, since=since, fleece=fleece)
                for disk in found:
                    await work.insert_copying(disk, since="" if reasons[disk.node] else since)
            fleece.still = time.monotonic() - began
        for disk in found:
            await work.add_instant(disk)
        await work.serve(socket)
        for disk in found:
            await work.export(disk, since="" if reasons[disk.node] else since)
        yield fleece


def _exported(disk: Disk, *, since: str, reason: str) -> Exported:
    return Exported(disk.node, disk.size, bitmap="" if reason else since, reason=reason)


class _Work:
    """Each step with its way back, which goes on the stack before the next step is taken."""

    def __init__(self, qmp: Executes, undo: AsyncExitStack) -> None:
        self._qmp, self._undo = qmp, undo

    async def add_scratch(self, disk: Disk, *, folder: Path) -> None:
        """Add a node for what the guest overwrites: an empty file that has no name any more once QEMU has it open."""
        path = folder / f"scratch-{disk.node}.raw"
        path.unlink(missing_ok=True)  # of a supervisor that was killed in this very moment
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, disk.size)
            # Discarded where it was read already, so that room is given back.
            options = {"driver": "file", "filename": str(path), "discard": "unmap"}
            await self._add(_scratch(disk), {"driver": "raw", "discard": "unmap", "file": options})
        finally:
            os.close(descriptor)
            path.unlink()

    async def mark(
        self, disks: Sequence[Disk], trusted: Sequence[Disk], *, mark: str, since: str, fleece: Fleece
    ) -> None:
        """Let a new bitmap record from now on, and the old one rest, on all disks at once."""
        actions: list[dict[str, object]] = []
        for disk in disks:
            new = {"node": disk.node, "name": mark, "granularity": GRANULARITY, "persistent": True}
            actions.append({"type": "block-dirty-bitmap-add", "data": new})
        for disk in trusted:
            old = {"node": disk.node, "name": since}
            actions.append({"type": "block-dirty-bitmap-disable", "data": old})
        await self._qmp.execute("transaction", {"actions": actions})

        async def settle() -> None:
            if fleece.keep:
                await self._drop_all_but(mark)
            else:
                await self._take_back(disks, trusted, mark=mark, since=since)

        self._undo.push_async_callback(_quietly, settle)

    async def _drop_all_but(self, mark: str) -> None:
        """Drop the bitmaps of the same vault that no backup will ask for again."""
        family = mark.rpartition("-")[0] + "-"
        for disk in await disks(self._qmp):
            for bitmap in disk.bitmaps:
                name = str(bitmap.get("name", ""))
                if name.startswith(family) and name != mark and not bitmap.get("busy"):
                    await self._qmp.execute("block-dirty-bitmap-remove", {"node": disk.node, "name": name})

    async def _take_back(self, disks: Sequence[Disk], trusted: Sequence[Disk], *, mark: str, since: str) -> None:
        """Put what the new bitmap has recorded into the old one, and let that one record again."""
        actions: list[dict[str, object]] = []
        for disk in trusted:
            old = {"node": disk.node, "name": since}
            merge = {"node": disk.node, "target": since, "bitmaps": [mark]}
            actions.append({"type": "block-dirty-bitmap-enable", "data": old})
            actions.append({"type": "block-dirty-bitmap-merge", "data": merge})
        if actions:
            await self._qmp.execute("transaction", {"actions": actions})
        for disk in disks:
            await self._qmp.execute("block-dirty-bitmap-remove", {"node": disk.node, "name": mark})

    async def insert_copying(self, disk: Disk, *, since: str) -> None:
        """Put a node between device and disk that copies what is overwritten: with a bitmap, only what it marks."""
        options: dict[str, object] = {
            "driver": "copy-before-write",
            "file": disk.node,
            "target": _scratch(disk),
            "on-cbw-error": "break-snapshot",
            "cbw-timeout": COPY_SECONDS,
        }
        if since:
            options["bitmap"] = {"node": disk.node, "name": since}
        await self._add(_copying(disk), options)
        await self._attach(disk, _copying(disk))
        self._undo.push_async_callback(_quietly, lambda: self._attach(disk, disk.node))

    async def add_instant(self, disk: Disk) -> None:
        """Add a node that reads what the disk was when the copying began."""
        await self._add(_instant(disk), {"driver": "snapshot-access", "file": _copying(disk)})

    async def serve(self, socket: Path) -> None:
        """Let QEMU listen for NBD clients, on a socket that only we can connect to."""
        socket.unlink(missing_ok=True)
        address = {"type": "unix", "data": {"path": str(socket)}}
        await self._qmp.execute("nbd-server-start", {"addr": address})
        self._undo.push_async_callback(_quietly, lambda: self._qmp.execute("nbd-server-stop"))

    async def export(self, disk: Disk, *, since: str) -> None:
        """Export what the disk was at the instant; the exports end with the server.

        With a bitmap, that alone says what is to be read. Without, QEMU 7.2 cannot say where zeros were if the disk
        lies over an image: so what the disk is now, and what was overwritten since, are exported as well.
        """
        if since:
            await self._export(disk.node, _instant(disk), bitmaps=[{"node": disk.node, "name": since}])
            return
        await self._export(disk.node, _instant(disk))
        await self._export(disk.node + NOW, disk.node)
        await self._export(disk.node + SCRATCH, _scratch(disk))

    async def _export(self, name: str, node: str, **more: object) -> None:
        options = {"type": "nbd", "id": f"jeos-{name}", "name": name, "node-name": node, "writable": False}
        await self._qmp.execute("block-export-add", {**options, **more})

    async def _add(self, node: str, options: dict[str, object]) -> None:
        await self._qmp.execute("blockdev-add", {"node-name": node, **options})
        self._undo.push_async_callback(_quietly, lambda: self._qmp.execute("blockdev-del", {"node-name": node}))

    async def _attach(self, disk: Disk, node: str) -> None:
        await self._qmp.execute("qom-set", {"path": disk.device, "property": "drive", "value": node})


async def _quietly(step: Callable[[], Awaitable[object]]) -> None:
    """Take a step back; one that fails keeps none of the others from being taken, and QEMU may be gone."""
    try:
        await step()
    except JeosError as error:
        log.warn(f"the way back of a backup failed: {error.message}")


def _scratch(disk: Disk) -> str:
    return f"jeos-scratch-{disk.node}"


def _copying(disk: Disk) -> str:
    return f"jeos-copying-{disk.node}"


def _instant(disk: Disk) -> str:
    return f"jeos-instant-{disk.node}"
