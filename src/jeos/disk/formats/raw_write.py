"""Write a raw disk: the bytes themselves, with holes where they are zeros."""

from typing import BinaryIO

from jeos.disk.blocks import Blocks
from jeos.disk.formats.ordered import Effort, ordered
from jeos.disk.formats.units import HOLE, write_sparse

SUFFIX = ".raw"


def write(blocks: Blocks, file: BinaryIO, *, effort: Effort = Effort.USUAL) -> None:
    """Write a disk into an empty file."""
    for start, content in ordered(blocks, lambda start, content: content, unit=HOLE):
        write_sparse(file, start, content)
    file.truncate(blocks.size)
