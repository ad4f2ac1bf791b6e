"""The two slots of the disk that this guest runs from: which one is in use, and what the other one holds.

    disk = slots.find()
    disk.active.root_hash, disk.other.system.device          # "5e1b…", "/dev/vda4"
    slots.mark(disk, disk.other, label="hello_1.1", root_hash="9c0d…")

A slot is two partitions, a system and its verity hashes. Their UUIDs are the two halves of the root hash of what they
hold (discoverable partitions specification, UAPI.2), by which the initrd finds them; so the partition table says what
each slot holds. A slot that is being written has UUIDs that are no root hash's.
"""

import os
import re
import uuid
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk import gpt
from jeos.model.image import LABEL_EMPTY, TYPE_ESP, TYPE_ROOT, TYPE_ROOT_VERITY, Partition
from jeos.update.errors import LayoutError

COMMAND_LINE = "/proc/cmdline"
ROOT_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Place:
    """A partition and the block device that it is."""

    partition: Partition
    device: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A system's partition and that of its hashes; `root_hash` is what their UUIDs say, whether it is true or not."""

    name: str
    system: Place
    hashes: Place

    @property
    def root_hash(self) -> str:
        """Return the root hash that the two UUIDs put together."""
        return "".join(place.partition.uuid.replace("-", "") for place in (self.system, self.hashes))


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that the system runs from: its device, its ESP, the slot in use and the other one."""

    device: str
    esp: Place
    active: Slot
    other: Slot


def running_root_hash(command_line: str = COMMAND_LINE) -> str:
    """Return the root hash that the running kernel was given. Raises LayoutError if it was given none."""
    with open(command_line, encoding="ascii", errors="replace") as file:
        words = file.read().split()
    found = [word.partition("=")[2] for word in words if word.startswith("roothash=")]
    if not found or not ROOT_HASH.fullmatch(found[-1]):
        raise LayoutError("the kernel was started without roothash=", hint="only images that jeos built have slots")
    return found[-1]


def find(root_hash: str = "", *, system_device: str = "", sys: str = "/sys", dev: str = "/dev") -> Disk:
    """Return the disk that the running system, with this root hash, is on.

    `system_device` is the name of the partition below /; both are asked of the kernel if they are not given.
    Raises LayoutError if the disk has not two slots, or not the one that runs.
    """
    root_hash = root_hash or running_root_hash()
    name = os.path.basename(os.path.dirname(os.path.realpath(f"{sys}/class/block/{system_device or _below_root(sys)}")))
    device = f"{dev}/{name}"
    try:
        with open(device, "rb") as file:
            table = gpt.read(file)
    except (OSError, InputError) as error:
        raise LayoutError(f"{device}: {error}", hint="the disk must be one that jeos built") from error
    devices = _partition_devices(f"{sys}/class/block/{name}", dev=dev)
    places = {kind: [] for kind in (TYPE_ESP, TYPE_ROOT, TYPE_ROOT_VERITY)}  # type: dict[str, list[Place]]
    for partition in table.partitions:
        if partition.type in places and partition.number in devices:
            places[partition.type].append(Place(partition, devices[partition.number]))
    systems, hashes, esps = places[TYPE_ROOT], places[TYPE_ROOT_VERITY], places[TYPE_ESP]
    if len(systems) != 2 or len(hashes) != 2 or not esps:
        raise LayoutError(f"{device} has not two slots and an ESP", hint="the disk must be one that jeos built")
    both = [Slot(letter, system, tree) for letter, system, tree in zip("AB", systems, hashes, strict=True)]
    for active, other in (both, both[::-1]):
        if active.root_hash == root_hash:
            return Disk(device=device, esp=esps[0], active=active, other=other)
    raise LayoutError(f"no slot of {device} is said to hold the running system", hint="was its table changed by hand?")


def mark(disk: Disk, slot: Slot, *, label: str, root_hash: str) -> Slot:
    """Say in the partition table what a slot holds, and return it so. Raises LayoutError for the slot in use."""
    return _mark(disk, slot, label=gpt.label_of(label), uuids=_halves(root_hash))


def mark_empty(disk: Disk, slot: Slot) -> Slot:
    """Say in the partition table that a slot holds nothing, and return it so. Raises as `mark` does."""
    return _mark(disk, slot, label=LABEL_EMPTY, uuids=(str(uuid.uuid4()), str(uuid.uuid4())))


def _mark(disk: Disk, slot: Slot, *, label: str, uuids: tuple[str, str]) -> Slot:
    if slot.system.partition.number == disk.active.system.partition.number:
        raise LayoutError(f"slot {slot.name} is in use", hint="an update goes into the other one")
    changed = [
        Place(Partition(old.number, label, old.type, own, old.start, old.size), place.device)
        for place, own in zip((slot.system, slot.hashes), uuids, strict=True)
        for old in (place.partition,)
    ]
    with open(disk.device, "r+b", buffering=0) as file:
        gpt.rename(file, {place.partition.number: (label, place.partition.uuid) for place in changed})
    return Slot(slot.name, *changed)


def _halves(root_hash: str) -> tuple[str, str]:
    if not ROOT_HASH.fullmatch(root_hash):
        raise LayoutError(f"{root_hash!r} is not a root hash", hint="it has 64 hexadecimal digits")
    return str(uuid.UUID(root_hash[:32])), str(uuid.UUID(root_hash[32:]))


def _below_root(sys: str) -> str:
    """Return the name of the first partition below /, which is a dm-verity device: that of the system."""
    device = os.stat("/").st_dev
    folder = f"{sys}/dev/block/{os.major(device)}:{os.minor(device)}/slaves"
    try:
        names = [name for name in os.listdir(folder) if os.path.exists(f"{sys}/class/block/{name}/partition")]
    except OSError:
        names = []
    if not names:
        raise LayoutError("/ is not on a verified slot", hint="only images that jeos built have slots")
    return sorted(names)[0]


def _partition_devices(folder: str, *, dev: str) -> dict[int, str]:
    """Return the device files of a disk's partitions by number."""
    found = {}
    for name in os.listdir(folder):
        try:
            with open(f"{folder}/{name}/partition") as file:
                found[int(file.read())] = f"{dev}/{name}"
        except (OSError, ValueError):
            continue
    return found
