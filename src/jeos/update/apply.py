"""Put a release into the other slot, in an order in which a power cut at any byte leaves the running one bootable.

    apply(release, rebuild=partial(rebuild.rebuild, release, patch=…, fetch=…, work=…))

1. Nothing is touched while the running release is itself on trial: the other slot is its way back.
2. The other slot's kernel image is deleted, and the slot marked empty: nothing can start what is overwritten now.
3. The slot is written and verified.
4. The trial is written down, the slot gets its identity in the partition table, and last, with one rename, the kernel
   image appears on the ESP with its starts counted. Before that rename nothing has changed for the boot loader.
"""

import errno
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Protocol

from jeos.model import version
from jeos.update import kernels, mounts, slots, snapshot, state
from jeos.update.errors import LayoutError, RoomError, UnconfirmedError
from jeos.update.slots import Disk, Slot
from jeos.update.state import Trial
from jeos.update.state_file import FOLDER

READ_ONLY = True
KERNEL = "kernel.efi"  # the new kernel image, until it goes to the ESP


class Wanted(Protocol):
    """What is to be known of a release; `jeos.model.release.Release` has it all."""

    @property
    def name(self) -> str:
        """Return the appliance's name."""

    @property
    def version(self) -> str:
        """Return the release's version."""

    @property
    def root_hash(self) -> str:
        """Return dm-verity's root hash of the system."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an update happens: the disk, how its ESP is reached, the running version, and where the state is kept."""

    disk: Disk
    version: str
    esp: Callable[[bool], AbstractContextManager[str]]  # told whether it is only read
    system: Callable[[], AbstractContextManager[str]] = mounts.running_system
    folder: str = FOLDER


def here(running: str, *, folder: str = FOLDER) -> Place:
    """Return the guest's own place; `running` is the version that runs. Raises LayoutError."""
    disk = slots.find()
    return Place(
        disk=disk,
        version=running,
        esp=lambda read_only: mounts.esp(disk.esp.device, read_only=read_only),
        folder=folder,
    )


class Rebuild(Protocol):
    """How a slot is filled: `jeos.update.rebuild.rebuild` with a release, its patch, its packs and a work folder."""

    def __call__(self, *, active: str, kernel: str, system: BinaryIO, hashes: BinaryIO, kernel_out: BinaryIO) -> Any:
        """Fill the three files from `active`, a folder, and `kernel`, a path; raise if they do not verify."""


def apply(
    release: Wanted,
    *,
    rebuild: Rebuild,
    place: Place,
    keep: Sequence[str] = (),
    troubled: Sequence[str] = (),
    target: str = "",
    now: Callable[[], float] = time.time,
) -> Trial:
    """Make a release the one that starts next, on trial, and return the trial; the restart is the caller's.

    `keep` are the paths that the release's first start will copy (see `snapshot`), `troubled` the units that have
    failed before, `target` is the SHA-256 of the release's signed description. What was begun and cut off is begun
    again from the start. Raises UpdateError of several kinds, and what `rebuild` raises; the running release goes on.
    """
    with state.alone(place.folder, "update"):
        _check(release, place=place)
        _check_data(keep, folder=place.folder)
        _retire(place)
        empty = slots.mark_empty(place.disk, place.disk.other)
        kernel = f"{place.folder}/{KERNEL}"
        with place.esp(READ_ONLY) as esp, place.system() as system:
            own = kernels.of(esp, place.disk.active.root_hash)
            if own is None:
                raise LayoutError("the ESP lacks the kernel image of the running system", hint="it has no way back")
            _fill(empty, rebuild, active=system, kernel=f"{esp}/{kernels.FOLDER}/{own.name}", kernel_out=kernel)
        trial = Trial(
            version=release.version,
            root_hash=release.root_hash,
            previous=place.version,
            previous_hash=place.disk.active.root_hash,
            since=now(),
            troubled=tuple(troubled),
            target=target,
        )
        state.change(lambda old: replace(old, trial=replace(trial, hooks=old.hooks)), folder=place.folder)
        slots.mark(place.disk, empty, label=f"{release.name}_{release.version}", root_hash=release.root_hash)
        with place.esp(False) as esp:
            kernels.install(esp, kernel, name=release.name, version=release.version, root_hash=release.root_hash)
        os.unlink(kernel)
        return trial


def withdraw(place: Place) -> None:
    """Take back a release that waits for its first start, for example because its vendor withdrew it meanwhile."""
    with state.alone(place.folder, "update"):
        if place.disk.active.root_hash != getattr(state.read(place.folder).trial, "root_hash", ""):
            _retire(place)
            slots.mark_empty(place.disk, place.disk.other)


def _check(release: Wanted, *, place: Place) -> None:
    """Refuse what could not start, and to overwrite the way back of a release on trial."""
    trial = state.read(place.folder).trial
    if trial is not None and trial.root_hash == place.disk.active.root_hash:
        raise UnconfirmedError(f"the running release, {trial.version}, is on trial", hint="wait for its confirmation")
    with place.esp(READ_ONLY) as esp:
        own = kernels.of(esp, place.disk.active.root_hash)
    if own is not None and own.left is not None:
        raise UnconfirmedError("the running release was not confirmed yet", hint="wait for its confirmation")
    if not version.newer(release.version, place.version):
        raise LayoutError(
            f"{release.version} is not newer than {place.version}, which runs: the boot loader would not start it",
            hint="publish it with a higher version",
        )


def _check_data(keep: Sequence[str], *, folder: str) -> None:
    """Refuse now what the new release's first start would have no room for."""
    if keep:
        snapshot.check_room([*keep, f"{snapshot.ETC}/{snapshot.UPPER}"], folder=folder)


def _retire(place: Place) -> None:
    """Let nothing start the other slot any more, and forget that it was to be tried."""
    with place.esp(False) as esp:
        for entry in kernels.entries(esp):
            if entry.root_hash and entry.root_hash != place.disk.active.root_hash:
                kernels.remove(esp, entry)
    state.change(lambda before: replace(before, trial=None, previous=""), folder=place.folder)


def _fill(slot: Slot, rebuild: Rebuild, *, active: str, kernel: str, kernel_out: str) -> None:
    """Write a slot and the kernel image, and see to it that they are on the disk."""
    with (
        open(slot.system.device, "r+b", buffering=0) as system,
        open(slot.hashes.device, "r+b", buffering=0) as hashes,
        open(kernel_out, "w+b", buffering=0) as out,
    ):
        try:
            rebuild(active=active, kernel=kernel, system=system, hashes=hashes, kernel_out=out)
            for file in (system, hashes, out):
                os.fsync(file.fileno())
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise RoomError("no room left for the update", hint="free some of the data disk") from error
            raise
