"""Container disk: a disk in an OCI image, from which KubeVirt starts machines.

The image has one file, /disk/NAME.qcow2, which belongs to the user qemu of KubeVirt (107). It is compressed as qcow2
is, so that the layer need not be, and takes as little room on the nodes as in the registry.
After "Disks and volumes: containerDisk" of KubeVirt's user guide.
"""

import json
import os
from collections.abc import Sequence
from typing import BinaryIO

from jeos.core.errors import InputError
from jeos.disk import formats, oci_archive
from jeos.disk.blocks import Blocks, Window
from jeos.disk.formats import qcow2_write
from jeos.disk.formats.qcow2_write import Compression
from jeos.disk.formats.siblings import Place
from jeos.disk.shifted import shifted
from jeos.disk.tar_members import members
from jeos.disk.tar_write import BLOCK, END, RECORD, header, padded
from jeos.export.source import Source
from jeos.export.target import Options

HELP = "for KubeVirt, an OCI image with the disk"
SUFFIX = ".oci.tar"
PACKED = True
QEMU = 107  # user and group of KubeVirt's QEMU
FOLDER = "disk/"
FOLDER_MODE, FILE_MODE = 0o755, 0o440
TITLE, VERSION = "org.opencontainers.image.title", "org.opencontainers.image.version"


def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    """Write the archive."""

    def write_layer(layer: BinaryIO) -> None:
        disk = shifted(layer, 2 * BLOCK)
        qcow2_write.write(source.disk, disk, effort=options.effort, compression=Compression.ZSTD)
        size = disk.seek(0, os.SEEK_END)
        layer.truncate(padded(2 * BLOCK + padded(size) + END, unit=RECORD))
        layer.seek(0)
        layer.write(header(FOLDER, 0, owner=QEMU, mode=FOLDER_MODE, folder=True))
        layer.write(header(f"{FOLDER}{source.stem}.qcow2", size, owner=QEMU, mode=FILE_MODE))

    labels = {TITLE: source.name} | ({VERSION: source.version} if source.version else {})
    oci_archive.write(file, write_layer, tag=source.version or "latest", labels=labels)
    return ()


def open(blocks: Blocks) -> Blocks:
    """Return the disk in an archive: that in the layer of the manifest that the index names."""
    blobs = {one.name: Window(blocks, start=one.start, size=one.size) for one in members(blocks, source="the archive")}

    def parsed(name: str) -> dict[str, list[dict[str, str]]]:
        blob = blobs[name]
        found: dict[str, list[dict[str, str]]] = json.loads(blob.read(0, blob.size))
        return found

    try:
        manifest = parsed(_path(parsed("index.json")["manifests"][0]["digest"]))
        layer = blobs[_path(manifest["layers"][0]["digest"])]
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise InputError(f"the archive is no OCI image with a layer: {error}", hint="export again") from None
    (disk,) = members(layer, source="the layer")
    return formats.open_as(Window(layer, start=disk.start, size=disk.size), Place(), format="qcow2")


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
