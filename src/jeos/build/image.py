"""Put a disk together: boot loader and kernel, the system with its hashes, an empty second slot, and the data.

Nothing is mounted and no loop device is used. What is copied is copied by the kernel and stays sparse; nothing goes
through memory. Identities are derived from names, so that the same build gives the same disk, bit for bit.
"""

import errno
import hashlib
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jeos.core.errors import InputError
from jeos.disk import esp, gpt, verity
from jeos.model.image import (
    LABEL_DATA,
    LABEL_EMPTY,
    MEBIBYTE,
    TYPE_ESP,
    TYPE_LINUX,
    TYPE_ROOT,
    TYPE_ROOT_VERITY,
    Partition,
)
from jeos.model.recipe import Disk

LEAST_SLOT = 256 * MEBIBYTE
SLOT_STEP = 64 * MEBIBYTE

LOADER_CONF = b"timeout 0\neditor no\nauto-firmware no\n"
LOADER_PATHS = {"x86-64": ("EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi")}

ESP, SYSTEM_A, VERITY_A, SYSTEM_B, VERITY_B, DATA = range(1, 7)  # partition numbers


@dataclass(frozen=True, slots=True)
class Parts:
    """The files that a disk is put together from.

    `system` is the EROFS and `hashes` its dm-verity device (superblock and tree); `kernel` is the unified kernel
    image, `loader` systemd-boot; `data` is an ext4 file system that may be smaller than its partition: it grows at
    the first start.
    """

    system: Path
    hashes: Path
    kernel: Path
    loader: Path
    data: Path


@dataclass(frozen=True, slots=True)
class Written:
    """A disk that was written: its size in bytes, and its partitions."""

    size: int
    partitions: tuple[Partition, ...]


def slot_size(wanted: int, *, system: int) -> int:
    """Return the bytes of a system slot: what the recipe wants, or half more than the system, to grow into.

    Raises InputError if the system does not fit into what the recipe wants.
    """
    if wanted == 0:
        return max(LEAST_SLOT, _aligned(system + system // 2, SLOT_STEP))
    if wanted < system:
        raise InputError(
            f"the system has {system} bytes, but [disk] slot is {wanted}",
            hint="raise it, or leave it out: then it is chosen with room to grow (`jeos size` shows what takes room)",
        )
    return _aligned(wanted, gpt.ALIGNMENT)


def verity_size(slot: int) -> int:
    """Return the bytes of a partition for the hashes of a full slot."""
    return _aligned(verity.tree_size(slot), gpt.ALIGNMENT)


def partition_uuids(root_hash: str) -> tuple[str, str]:
    """Return the UUIDs of a system's partition and of that of its hashes: the first and the last half of the root hash.

    After the discoverable partitions specification (UAPI.2), "Partition Names and UUIDs" of verity protected roots.
    """
    return str(uuid.UUID(root_hash[:32])), str(uuid.UUID(root_hash[-32:]))


def derived_uuid(*names: str) -> str:
    """Return the UUID that stands for these names, always the same (version 8 of RFC 9562, from SHA-256)."""
    digest = bytearray(hashlib.sha256("\0".join(("jeos", *names)).encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def kernel_name(name: str, version: str, *, tries: int = 0) -> str:
    """Return the file name of a release's kernel image on the ESP.

    With `tries`, systemd-boot counts them down until the release is blessed, and then falls back to the other slot.
    The image's own first release has none: there is nothing to fall back to, and it must start without an agent.
    """
    return f"{name}_{version}+{tries}.efi" if tries else f"{name}_{version}.efi"


def plan(*, name: str, version: str, root_hash: str, sizes: Disk, system: int) -> Written:
    """Decide where everything goes. `system` is the size of the system in bytes."""
    slot = slot_size(sizes.slot, system=system)
    hashes = verity_size(slot)
    own_system, own_hashes = partition_uuids(root_hash)
    label = gpt.label_of(f"{name}_{version}")
    wanted = (
        (ESP, "esp", TYPE_ESP, derived_uuid(name, version, "esp"), sizes.esp),
        (SYSTEM_A, label, TYPE_ROOT, own_system, slot),
        (VERITY_A, label, TYPE_ROOT_VERITY, own_hashes, hashes),
        (SYSTEM_B, LABEL_EMPTY, TYPE_ROOT, derived_uuid(name, version, "system-b"), slot),
        (VERITY_B, LABEL_EMPTY, TYPE_ROOT_VERITY, derived_uuid(name, version, "verity-b"), hashes),
        (DATA, LABEL_DATA, TYPE_LINUX, derived_uuid(name, version, "data"), sizes.data),
    )
    partitions, start = [], gpt.FIRST_BYTE
    for number, own_label, kind, own_uuid, wanted_size in wanted:
        size = _aligned(wanted_size, gpt.ALIGNMENT)
        partitions.append(Partition(number=number, label=own_label, type=kind, uuid=own_uuid, start=start, size=size))
        start += size
    return Written(size=_aligned(start + gpt.LAST_BYTES, gpt.ALIGNMENT), partitions=tuple(partitions))


def write_image(
    disk: BinaryIO,
    parts: Parts,
    *,
    name: str,
    version: str,
    root_hash: str,
    sizes: Disk,
    date: int,
    loader_conf: bytes = LOADER_CONF,
    extra_files: Mapping[str, bytes | Path] | None = None,
) -> Written:
    """Write a whole disk into an empty file, sparse where it holds nothing, and return what is where.

    `extra_files` go onto the ESP beside boot loader and kernel. `date` is in seconds since 1970. Raises InputError if
    something does not fit.
    """
    written = plan(name=name, version=version, root_hash=root_hash, sizes=sizes, system=parts.system.stat().st_size)
    gpt.write(disk, written.partitions, size=written.size, disk_uuid=derived_uuid(name, version, "disk"))
    by_number = {partition.number: partition for partition in written.partitions}
    files: dict[str, bytes | Path] = dict.fromkeys(LOADER_PATHS["x86-64"], parts.loader)
    files["loader/loader.conf"] = loader_conf
    files[f"EFI/Linux/{kernel_name(name, version)}"] = parts.kernel
    files |= extra_files or {}
    esp.write(
        disk,
        files,
        offset=by_number[ESP].start,
        size=by_number[ESP].size,
        serial=int(derived_uuid(name, version, "serial")[:8], 16),
        date=date,
    )
    for number, path in ((SYSTEM_A, parts.system), (VERITY_A, parts.hashes), (DATA, parts.data)):
        _copy_into(disk, path, partition=by_number[number])
    return written


def _copy_into(disk: BinaryIO, path: Path, *, partition: Partition) -> None:
    size = path.stat().st_size
    if size > partition.size:
        raise InputError(
            f"{path.name} has {size} bytes, but partition {partition.number} ({partition.label}) has {partition.size}",
            hint="raise the sizes under [disk] in the recipe",
        )
    disk.flush()
    with path.open("rb") as source:
        copy_sparse(source.fileno(), disk.fileno(), offset=partition.start)


def copy_sparse(source: int, target: int, *, offset: int) -> None:
    """Copy what a file holds to `offset` of another, given as descriptors; its holes are skipped.

    The target must read as zeros there. The kernel copies, and shares blocks where the file system can.
    """
    end = os.lseek(source, 0, os.SEEK_END)
    position = 0
    while position < end:
        try:
            start = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole until the end
                return
            raise
        stop = os.lseek(source, start, os.SEEK_HOLE)
        while start < stop:
            copied = _copy_range(source, target, start=start, count=stop - start, offset=offset + start)
            if copied == 0:
                raise InputError(f"a part of the image became shorter while it was copied, at byte {start}")
            start += copied
        position = stop


def _copy_range(source: int, target: int, *, start: int, count: int, offset: int) -> int:
    try:
        return os.copy_file_range(source, target, count, start, offset)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
    # Between file systems of different kinds the kernel declines.
    os.lseek(target, offset, os.SEEK_SET)
    return os.sendfile(target, source, start, min(count, 1 << 30))


def _aligned(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment
