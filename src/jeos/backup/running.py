"""Backing up a machine that runs: all disks as they are at one instant, and only what changed since the last point.

    point = create(vault, "web01")

What changed is known from a bitmap that QEMU keeps in the disk itself. It is named in the point that it began with, so
that it is never taken for the changes since another one; where it is missing or in doubt, everything is read and
compared.
"""

import os
from contextlib import ExitStack
from dataclasses import dataclass

from jeos.backup import points
from jeos.backup.create import Progress, Source
from jeos.backup.create import create as create_point
from jeos.backup.instant import Instant
from jeos.core import log
from jeos.core.errors import InputError, JeosError, NetworkError, StoreError
from jeos.model.machine import Boot, machine_text
from jeos.model.snapshot import Consistency, Point
from jeos.store.vault import Vault
from jeos.vm import session
from jeos.vm.hold import Hold, held
from jeos.vm.places import places_of

FORMAT = "qcow2"  # of the machine's own disks
VAULT_DIGITS = 12  # of a vault's number in the names of its bitmaps


def create(vault: Vault, name: str, *, freeze: bool = True, progress: Progress | None = None) -> Point:
    """Make a point of a running machine; its guest is frozen for an instant, if it can be and `freeze` says so.

    Raises MachineError if it does not run or a backup of it is under way, else what the vault raises; then there is
    no point, and the next one builds on the one before.
    """
    owner = points.owner_name(name)
    parent = points.newest(vault, owner)
    family = f"jeos-{vault.id[:VAULT_DIGITS]}-"
    since = next((disk.bitmap for disk in parent.disks if disk.bitmap.startswith(family)), "") if parent else ""
    making = _Making(vault, name, owner=owner, parent=parent, family=family, freeze=freeze, progress=progress)
    if not since:
        return making.run(since="")
    try:
        return making.run(since=since)
    except (InputError, NetworkError, StoreError) as error:
        # With a bitmap nothing but what it marks can be read: should the point before be damaged, that is too little.
        log.warn(f"what changed could not be captured, so the whole disk is read: {error.message}")
        return making.run(since="")


@dataclass(frozen=True, slots=True)
class _Making:
    """A point in the making."""

    vault: Vault
    name: str
    owner: str
    parent: Point | None
    family: str
    freeze: bool
    progress: Progress | None

    def run(self, *, since: str) -> Point:
        """Hold the machine's disks, capture them, and let go."""
        mark = self.family + os.urandom(6).hex()
        sizes = {disk.name: disk.manifest.size for disk in self.parent.disks} if self.parent else {}
        with (
            held(self.name, mark=mark, since=since, sizes=sizes, freeze=self.freeze) as hold,
            ExitStack() as disks,
        ):
            log.info(f"  the guest stood still for {hold.still * 1000:.0f} ms")
            point = create_point(
                self.vault,
                _sources(hold, disks, mark=mark),
                owner=self.owner,
                consistency=Consistency(hold.consistency),
                taken_at=hold.taken,
                parent=self.parent,
                machine=machine_text(session.seen(self.name).machine),
                nvram=_nvram(self.name),
                notes=_notes(hold),
                progress=self.progress,
            )
            disks.close()
            try:
                hold.keep()
            except JeosError as error:  # the point is complete all the same; the next one has to read everything
                log.warn(f"the next backup of {self.name} will read the whole disk: {error.message}")
        return point


def _sources(hold: Hold, disks: ExitStack, *, mark: str) -> list[Source]:
    found = []
    for exported in hold.disks:
        disk = disks.enter_context(Instant(hold.socket, exported))
        found.append(Source(exported.export, FORMAT, disk, changed=disk.changed(), bitmap=mark))
    return found


def _notes(hold: Hold) -> list[str]:
    """Return why the point is not better, and why it took longer, than it could have."""
    reasons = dict.fromkeys(exported.reason for exported in hold.disks if exported.reason)
    return [*filter(None, [hold.notice]), *(f"read whole: {reason}" for reason in reasons)]


def _nvram(name: str) -> bytes:
    found = session.seen(name).machine
    return places_of(name).nvram.read_bytes() if found.boot is Boot.FIRMWARE else b""
