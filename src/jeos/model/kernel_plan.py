"""How a patch makes a kernel image: its large sections by kind, and how the guest packs them again."""

from enum import StrEnum

KERNEL = ".linux"
INITRD = ".initrd"

# How jeos packs an initial file system: the build, the publisher who tries it, and the guest do the same.
INITRD_LEVEL = 19
INITRD_WINDOW_LOG = 23  # 8 MiB, which the kernel has memory for
# Hash log, chain log, search log and strategy (btopt): an eighth of the tables that the level chooses, and one pass.
# It takes 70 MB less memory and half the time in the guest, and 0.9 % more bytes.
INITRD_TUNING = (20, 21, 5, 7)


class Piece(StrEnum):
    """How a section is made."""

    OLD = "old"  # as it is in the running kernel image
    RAW = "raw"  # whole, from a stream
    INITRD = "initrd"  # a stream behind files of the new slot and the old archive; packed with zstd
    LZ4 = "lz4"  # the unpacked kernel by differences; packed with LZ4
