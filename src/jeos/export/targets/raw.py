"""Raw: the disk byte by byte, as a sparse file; for `dd`, and for hypervisors that import whatever can be read so."""

from collections.abc import Sequence
from typing import BinaryIO

from jeos.disk.blocks import Blocks
from jeos.disk.formats import raw_write
from jeos.export.source import Source
from jeos.export.target import Options

HELP = "the disk byte by byte, sparse"
SUFFIX = ".raw"
PACKED = False


def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    """Write what is not zeros."""
    raw_write.write(source.disk, file)
    return ()


def open(blocks: Blocks) -> Blocks:
    """Return the disk."""
    return blocks
