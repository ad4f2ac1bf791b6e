"""The numbers of the EROFS on-disk format: what the writer and the reader both speak.

Source: the Linux kernel's `Documentation/filesystems/erofs.rst` and the structures in `fs/erofs/erofs_fs.h`.
All integers are little-endian. A place in the image is a byte offset; a block is 4 KiB; an inode number (nid) counts
slots of 32 bytes from the start of the metadata area, which for images of ours is the start of the image.
"""

import struct
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.model.tree import Kind

BLOCK = 4096
BLOCK_BITS = 12
SLOT = 32

SUPERBLOCK_OFFSET = 1024
# magic, checksum, compatible features; block bits, extra slots, root's nid; inodes, build time and its nanoseconds;
# blocks, block of the metadata area, block of the shared extended attributes; UUID, label; incompatible features;
# compression, extra devices (2); directory block bits, long xattr prefixes (2), packed inode; reserved
SUPERBLOCK = struct.Struct("<IIIBBHQQIIII16s16sIHHHBBIQ24x")
CHECKSUM_OFFSET = 4
MAGIC = 0xE0F5E1E2
COMPAT_CHECKSUM = 0x1
COMPAT_MTIME = 0x2  # the one time of an inode is its mtime
INCOMPAT_ZERO_PADDING = 0x1  # how compressed data is padded: of no matter where there is none
CHECKSUM_SEED = 0xFFFFFFFF
LABEL_BYTES = 15  # of 16: the kernel insists on a zero byte at the end

# format, xattr count, mode, links, size, reserved, data, ino, uid, gid, reserved
COMPACT_INODE = struct.Struct("<HHHHIIIIHHI")
# format, xattr count, mode, reserved, size, data, ino, uid, gid, mtime and its nanoseconds, links, reserved
EXTENDED_INODE = struct.Struct("<HHHHQIIIIqII16x")
EXTENDED = 0x1  # bit 0 of the format; bits 1 to 3 are the data layout
LAYOUT_SHIFT = 1
LAYOUT_PLAIN = 0  # all data in whole blocks
LAYOUT_INLINE = 2  # the data's last, partial block follows the inode

DIRENT = struct.Struct("<QHBB")  # nid, offset of the name in its block, type, reserved
NAME_BYTES = 255
TARGET_BYTES = 4095  # PATH_MAX without its zero byte

XATTR_HEADER = struct.Struct("<IB7x")  # name filter, number of shared attributes; their numbers (32 bits each) follow
XATTR_ENTRY = struct.Struct("<BBH")  # length of the name's rest, prefix, length of the value
XATTR_UNIT = 4  # entries are aligned to it, and shared ones are numbered by it
XATTR_SHARED_MOST = 255
XATTR_UNITS_MOST = 0xFFFF
XATTR_VALUE_BYTES = 0xFFFF
# A prefix that ends in a dot is followed by more; the two ACLs are whole names.
XATTR_PREFIXES = (
    ("system.posix_acl_access", 2),
    ("system.posix_acl_default", 3),
    ("user.", 1),
    ("trusted.", 4),
    ("security.", 6),
)

FILE_TYPES = {
    Kind.FILE: 1,
    Kind.DIRECTORY: 2,
    Kind.CHARACTER: 3,
    Kind.BLOCK: 4,
    Kind.FIFO: 5,
    Kind.SOCKET: 6,
    Kind.SYMLINK: 7,
}
MODE_PERMISSIONS = 0o7777

MAJOR_MOST = (1 << 12) - 1
MINOR_MOST = (1 << 20) - 1


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the superblock says, the fields that images without compression have."""

    root_nid: int
    inodes: int
    time: int
    blocks: int
    meta_block: int
    xattr_block: int
    uuid: bytes
    label: bytes
    compatible: int = COMPAT_CHECKSUM | COMPAT_MTIME
    checksum: int = 0

    def pack(self) -> bytes:
        """Return the 128 bytes of the superblock."""
        return SUPERBLOCK.pack(
            *(MAGIC, self.checksum, self.compatible, BLOCK_BITS, 0, self.root_nid, self.inodes, self.time, 0),
            *(self.blocks, self.meta_block, self.xattr_block, self.uuid, self.label),
            *(0, 0, 0, 0, 0, 0, 0, 0),
        )

    @classmethod
    def parse(cls, block: bytes) -> "Superblock":
        """Return what the first block of an image says.

        Raises InputError if that is no EROFS, is damaged, or uses features that jeos does not read.
        """
        if len(block) < BLOCK:
            raise InputError(f"an EROFS image has at least {BLOCK} bytes, this one has {len(block)}")
        magic, stored, compatible, bits, _, root, inodes, time, _, blocks, meta, xattr, uuid, label, incompatible = (
            SUPERBLOCK.unpack_from(block, SUPERBLOCK_OFFSET)[:15]
        )
        if magic != MAGIC:
            raise InputError("this is no EROFS image: it has no superblock at byte 1024")
        if bits != BLOCK_BITS or incompatible & ~INCOMPAT_ZERO_PADDING:
            raise InputError(
                f"the EROFS image has blocks of 2^{bits} bytes and the features {incompatible:#x}: jeos cannot read it",
                hint="jeos reads images with blocks of 4096 bytes, without compression, chunks or extra devices",
            )
        if compatible & COMPAT_CHECKSUM:
            field = SUPERBLOCK_OFFSET + CHECKSUM_OFFSET
            if checksum(block[:field] + bytes(4) + block[field + 4 :]) != stored:
                raise InputError("the EROFS image's superblock does not have its checksum: the image is damaged")
        return cls(
            root_nid=root,
            inodes=inodes,
            time=time,
            blocks=blocks,
            meta_block=meta,
            xattr_block=xattr,
            uuid=uuid,
            label=label.rstrip(b"\0"),
            compatible=compatible,
            checksum=stored,
        )


def padding(length: int, *, unit: int) -> int:
    """Return how many bytes are missing to the next multiple of `unit`."""
    return -length % unit


def encode_device(major: int, minor: int) -> int:
    """Return a device number as Linux stores it in 32 bits (`new_encode_dev` in `include/linux/kdev_t.h`)."""
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)


def decode_device(number: int) -> tuple[int, int]:
    """Return the major and minor number that `encode_device` put together."""
    return (number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00)


def _crc32c_table() -> tuple[int, ...]:
    reflected_polynomial = 0x82F63B78  # Castagnoli, RFC 3720 section 12.1, least significant bit first
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (reflected_polynomial if value & 1 else 0)
        table.append(value)
    return tuple(table)


def checksum(block: bytes | bytearray) -> int:
    """Return the checksum of an image's first block: CRC-32C, not inverted, from the superblock to the block's end.

    The checksum's own four bytes must be zero. Only 3 KiB are summed, so a table of bytes is fast enough.
    """
    table = _crc32c_table()
    value = CHECKSUM_SEED
    for byte in block[SUPERBLOCK_OFFSET:BLOCK]:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
    return value
