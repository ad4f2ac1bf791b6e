"""Google Compute Engine: a gzip archive with the one file disk.raw, in GNU's old form of tar, of whole GiB.

After "Manually import boot disks" of Google's documentation: `gcloud compute images create --source-uri`.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from jeos.core.errors import InputError
from jeos.disk import gzip_write
from jeos.disk.blocks import PIECE, Blocks, Window
from jeos.disk.formats.ordered import Effort
from jeos.disk.gzip_blocks import Gzip
from jeos.disk.tar_members import members
from jeos.disk.tar_write import BLOCK, END, OLD_GNU, RECORD, header, padded
from jeos.export.source import Source
from jeos.export.target import Options

HELP = "for Google Compute Engine, disk.raw in a tar.gz"
SUFFIX = ".gce.tar.gz"
PACKED = True
GIBIBYTE = 1 << 30
NAME = "disk.raw"
LEVELS = {Effort.FAST: 1, Effort.USUAL: 2, Effort.SMALL: 3}  # isal's


def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    """Write the archive."""
    gzip_write.write(_archive(source.disk), file, level=LEVELS[options.effort])
    return ()


def _archive(disk: Blocks) -> Iterator[bytes]:
    """Yield the archive in pieces; the disk grows to whole GiB with zeros."""
    size = padded(disk.size, unit=GIBIBYTE)
    yield header(NAME, size, magic=OLD_GNU)
    zeros = bytes(PIECE)
    place = 0
    for start, end in _pieces(disk):
        while place < start:
            length = min(PIECE, start - place)
            yield zeros[:length]
            place += length
        yield disk.read(start, end - start)
        place = end
    whole = padded(BLOCK + size + END, unit=RECORD) - BLOCK
    while place < whole:
        length = min(PIECE, whole - place)
        yield zeros[:length]
        place += length


def _pieces(disk: Blocks) -> Iterator[tuple[int, int]]:
    """Yield the pieces that have data, at multiples of their size."""
    done = 0
    for start, end in disk.data(0, disk.size):
        place = max(done, start - start % PIECE)
        while place < end:
            length = min(PIECE, disk.size - place)
            yield place, place + length
            place += length
        done = max(done, place)


def open(blocks: Blocks) -> Blocks:
    """Return the disk in an archive."""
    archive = Gzip(blocks, name="the archive")
    found = list(members(archive, source="the archive"))
    if [one.name for one in found] != [NAME]:
        raise InputError(f"the archive does not have the one file {NAME}", hint="export again")
    return Window(archive, start=found[0].start, size=found[0].size)
