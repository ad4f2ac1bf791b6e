"""VDI that grows (dynamic): VirtualBox's own form."""

from collections.abc import Sequence
from typing import BinaryIO

from jeos.disk import formats
from jeos.disk.blocks import Blocks
from jeos.disk.formats import vdi_write
from jeos.disk.formats.siblings import Place
from jeos.export.source import Source
from jeos.export.target import Options

HELP = "for VirtualBox"
SUFFIX = ".vdi"
PACKED = False


def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    """Write the disk."""
    vdi_write.write(source.disk, file, effort=options.effort)
    return ()


def open(blocks: Blocks) -> Blocks:
    """Return the disk in a file."""
    return formats.open_as(blocks, Place(), format="vdi")
