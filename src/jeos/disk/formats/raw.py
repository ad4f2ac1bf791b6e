"""Raw disks: the file is the disk."""

from jeos.disk.blocks import Blocks
from jeos.disk.formats.siblings import Place

SUFFIXES: tuple[str, ...] = ()


def probe(blocks: Blocks) -> bool:
    """Tell that anything may be a raw disk."""
    return True


def open(blocks: Blocks, place: Place) -> Blocks:
    """Return the disk."""
    return blocks
