"""Disks of points, written out by `jeos.backup.fill`."""

import os

from jeos.backup.fill import Progress, fill
from jeos.backup.restored import Chunks
from jeos.model.snapshot import Manifest


def filled(vault: Chunks, manifest: Manifest, *, progress: Progress | None = None) -> bytes:
    """Return what is in an empty file after it was filled with a disk."""
    descriptor = os.memfd_create("disk")
    try:
        os.ftruncate(descriptor, manifest.size)
        fill(vault, manifest, descriptor, progress=progress)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            return file.read()
    finally:
        os.close(descriptor)
