"""qcow2: for QEMU, libvirt, Proxmox, OpenStack; `--small` compresses it with zstd, which QEMU reads since 5.1."""

from collections.abc import Sequence
from typing import BinaryIO

from jeos.disk import formats
from jeos.disk.blocks import Blocks
from jeos.disk.formats import qcow2_write
from jeos.disk.formats.ordered import Effort
from jeos.disk.formats.qcow2_write import Compression
from jeos.disk.formats.siblings import Place
from jeos.export.source import Source
from jeos.export.target import Options

HELP = "for QEMU, libvirt, Proxmox VE and OpenStack (compressed with --small)"
SUFFIX = ".qcow2"
PACKED = False


def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    """Write the disk, as it is best to run from unless it is to be small."""
    compression = Compression.ZSTD if options.effort is Effort.SMALL else Compression.NONE
    qcow2_write.write(source.disk, file, effort=options.effort, compression=compression)
    return ()


def open(blocks: Blocks) -> Blocks:
    """Return the disk in a file."""
    return formats.open_as(blocks, Place(), format="qcow2")
