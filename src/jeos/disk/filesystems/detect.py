"""What is on a volume: a file system that can be opened, or something that is only recognised.

    found = detect(blocks)                          # Found(kind="ext4", …)
    if found.readable:
        filesystem = open_filesystem(blocks)

A module of this package that reads a kind is imported only where a volume holds it. Signatures after libblkid's
superblocks.
"""

import importlib
import uuid as uuids
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems.base import FileSystem
from jeos.disk.volumes import lvm

_SIGNED = 72 << 10  # bytes at the start within which nearly all signatures lie

# Kinds that can be read: the module, and where its signature may stand. The module's `probe` looks closer.
READABLE: tuple[tuple[str, tuple[tuple[int, bytes], ...]], ...] = (
    ("xfs", ((0, b"XFSB"),)),
    ("btrfs", ((0x10040, b"_BHRfS_M"),)),
    ("erofs", ((1024, b"\xe2\xe1\xf5\xe0"),)),
    ("ntfs", ((3, b"NTFS    "),)),
    ("vfat", ((510, b"\x55\xaa"),)),
    ("ext4", ((1080, b"\x53\xef"),)),
)

# Kinds that are only recognised, by what blkid calls them.
RECOGNISED: tuple[tuple[str, int, bytes], ...] = (
    ("crypto_LUKS", 0, b"LUKS\xba\xbe"),
    ("BitLocker", 3, b"-FVE-FS-"),
    ("ReFS", 3, b"ReFS\0\0\0\0"),
    ("exfat", 3, b"EXFAT   "),
    ("squashfs", 0, b"hsqs"),
    ("DM_verity_hash", 0, b"verity\0\0"),
    ("f2fs", 1024, b"\x10\x20\xf5\xf2"),
    ("hfsplus", 1024, b"H+\x00\x04"),
    ("bcachefs", 4120, b"\xc6\x85\x73\xf6\x66\xce\x90\xa9"),
    ("iso9660", 32769, b"CD001"),
    ("swap", 4086, b"SWAPSPACE2"),
    ("swap", 65526, b"SWAPSPACE2"),
    ("swsuspend", 4086, b"S1SUSPEND"),
)
_RAID = b"\xfc\x4e\x2b\xa9"  # the magic of Linux' software RAID
_RAID_PLACES = (0, 4096)  # versions 1.1 and 1.2; 1.0 and 0.90 stand at the end


@dataclass(frozen=True, slots=True)
class Found:
    """What a volume holds, as blkid calls it; "" for nothing that is known. `failure` says why it cannot be read."""

    kind: str
    uuid: str = ""
    label: str = ""
    readable: bool = False
    failure: str = ""


def detect(blocks: Blocks) -> Found:
    """Say what is on a volume. Raises InputError only where the volume itself cannot be read."""
    found, _ = open_volume(blocks)
    return found


def open_filesystem(blocks: Blocks) -> FileSystem:
    """Open the file system of a volume. Raises InputError if there is none that jeos reads."""
    found, filesystem = open_volume(blocks)
    if filesystem is None:
        raise InputError(found.failure or f"a volume holds {found.kind or 'nothing'} that jeos reads files from")
    return filesystem


def open_volume(blocks: Blocks) -> tuple[Found, FileSystem | None]:
    """Say what is on a volume, and open it if that is a file system that jeos reads."""
    head = blocks.read(0, min(_SIGNED, blocks.size))
    kind = _other(blocks, head)
    if kind:
        return Found(kind, *_names(kind, blocks, head)), None
    for name, signatures in READABLE:
        if any(head[at : at + len(sign)] == sign for at, sign in signatures):
            found = _open(name, blocks)
            if found is not None:
                return found
    return Found(""), None


def _open(name: str, blocks: Blocks) -> tuple[Found, FileSystem | None] | None:
    """Open a kind of file system; None if it is not of that kind after all."""
    try:
        module = importlib.import_module(f"jeos.disk.filesystems.{name}")
    except ModuleNotFoundError as error:
        return Found(name, failure=f"{name}: {error}"), None
    probe = cast(Callable[[Blocks], bool], module.probe)
    opened = cast(Callable[[Blocks], FileSystem], module.open_filesystem)
    try:
        if not probe(blocks):
            return None
        filesystem = opened(blocks)
    except InputError as error:
        return Found(name, failure=error.message), None
    return Found(filesystem.kind, filesystem.uuid, filesystem.label, readable=True), filesystem


def _other(blocks: Blocks, head: bytes) -> str:
    """Return the kind of what is not a file system, or one that is not read; "" if it is none of these."""
    if _raid(blocks, head):
        return "linux_raid_member"
    for kind, at, sign in RECOGNISED:
        if head[at : at + len(sign)] == sign:
            return kind
    return "LVM2_member" if b"LABELONE" in head[:2048] and lvm.probe(blocks) else ""


def _raid(blocks: Blocks, head: bytes) -> bool:
    if any(head[at : at + 4] == _RAID for at in _RAID_PLACES):
        return True
    ends = ((blocks.size & ~0xFFF) - 0x2000, (blocks.size & ~0xFFFF) - 0x10000)  # 1.0 and 0.90
    return any(at > 0 and blocks.read(at, 4) == _RAID for at in ends)


def _names(kind: str, blocks: Blocks, head: bytes) -> tuple[str, str]:
    """Return UUID and label of what is only recognised, where it has them."""
    if kind == "swap":
        return str(uuids.UUID(bytes=head[1036:1052])), head[1052:1068].partition(b"\0")[0].decode("utf-8", "replace")
    if kind == "crypto_LUKS":
        return head[168:208].partition(b"\0")[0].decode("ascii", "replace"), ""
    if kind == "LVM2_member":
        return lvm.identity(blocks), ""
    return "", ""
