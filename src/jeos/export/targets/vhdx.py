"""VHDX that grows (dynamic): for Hyper-V machines of generation 2, which start with UEFI as images of jeos do."""

from collections.abc import Sequence
from typing import BinaryIO

from jeos.disk import formats
from jeos.disk.blocks import Blocks
from jeos.disk.formats import vhdx_write
from jeos.disk.formats.siblings import Place
from jeos.export.source import Source
from jeos.export.target import Options

HELP = "for Hyper-V machines of generation 2"
SUFFIX = ".vhdx"
PACKED = False


def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    """Write the disk."""
    vhdx_write.write(source.disk, file, effort=options.effort)
    return ()


def open(blocks: Blocks) -> Blocks:
    """Return the disk in a file."""
    return formats.open_as(blocks, Place(), format="vhdx")
