"""Azure: a VHD of fixed size, in whole MiB; the file is sparse, so that it takes no more room than its data.

After "Prepare Linux for imaging" of Azure's documentation: `azcopy copy FILE URL --blob-type PageBlob`.
"""

from collections.abc import Sequence
from typing import BinaryIO

from jeos.disk import formats
from jeos.disk.blocks import Blocks
from jeos.disk.formats import vhd_write
from jeos.disk.formats.siblings import Place
from jeos.export.source import Source
from jeos.export.target import Options

HELP = "for Azure, a VHD of fixed size"
SUFFIX = ".azure.vhd"
PACKED = False


def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    """Write the disk."""
    vhd_write.write(source.disk, file, effort=options.effort, fixed=True)
    return ()


def open(blocks: Blocks) -> Blocks:
    """Return the disk in a file."""
    return formats.open_as(blocks, Place(), format="vhd")
