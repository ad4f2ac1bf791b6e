"""VHD that grows (dynamic): for Hyper-V machines of generation 1, XenServer and old tools."""

from collections.abc import Sequence
from typing import BinaryIO

from jeos.disk import formats
from jeos.disk.blocks import Blocks
from jeos.disk.formats import vhd_write
from jeos.disk.formats.siblings import Place
from jeos.export.source import Source
from jeos.export.target import Options

HELP = "for Hyper-V machines of generation 1, and XenServer"
SUFFIX = ".vhd"
PACKED = False


def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    """Write the disk."""
    vhd_write.write(source.disk, file, effort=options.effort)
    return ()


def open(blocks: Blocks) -> Blocks:
    """Return the disk in a file."""
    return formats.open_as(blocks, Place(), format="vhd")
