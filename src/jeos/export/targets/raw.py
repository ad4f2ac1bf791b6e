"""Raw: the disk byte by byte, as a sparse file; for `dd`, and for hypervisors that import whatever can be read so."""

from collections.abc import Sequence
from typing import BinaryIO

from jeos.disk.blocks import Blocks, pieces
from jeos.export.source import Source
from jeos.export.target import Options

HELP = "the disk byte by byte, sparse"
SUFFIX = ".raw"
PACKED = False


def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    """Write what is not zeros."""
    for offset, content in pieces(source.disk):
        file.seek(offset)
        file.write(content)
    file.truncate(source.disk.size)
    return ()


def open(blocks: Blocks) -> Blocks:
    """Return the disk."""
    return blocks
