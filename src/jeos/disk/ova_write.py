"""Write an OVA in one pass: the disks go straight into the archive, what stands before them is filled in afterwards.

    write(file, name="web", render=render, disks=[("web-disk1.vmdk", write_disk)], algorithm="sha256")

The order is that of the specification (DSP0243, 5.3): descriptor, manifest, certificate, disks. The descriptor tells
the size of the disks' files, and the manifest their digests, which are known only at the end; how long both will be is
known before, since a descriptor with the largest sizes is as long as any, and spaces may follow its last element.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from jeos.disk import ovf_manifest
from jeos.disk.ovf_certificate import Signatory
from jeos.disk.ovf_manifest import Digest
from jeos.disk.tar_write import BLOCK, END, RECORD, header, padded

LARGEST_FILE = 1 << 62  # bytes; what no disk's file reaches

WriteDisk = Callable[[BinaryIO], None]
Render = Callable[[Sequence[int]], bytes]


class _Digesting(io.RawIOBase):
    """Passes what is written on, and digests and counts it on the way; nothing can be written twice."""

    def __init__(self, file: BinaryIO, *, algorithm: str) -> None:
        self._file = file
        self._digest = hashlib.new(algorithm, usedforsecurity=False)
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._digest.update(view)
        self._file.write(view)
        self.size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.size

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Disk:
    name: str
    digest: str
    size: int


def write(
    file: BinaryIO,
    *,
    name: str,
    render: Render,
    disks: Sequence[tuple[str, WriteDisk]],
    algorithm: str,
    signatory: Signatory | None = None,
) -> None:
    """Write an archive into an empty file that can be sought in.

    `name` is that of the descriptor without its suffix, `render` returns it for the sizes of the disks' files in bytes.
    """
    names = [f"{name}.ovf", f"{name}.mf", *([f"{name}.cert"] if signatory else [])]
    blank = "0" * ovf_manifest.LENGTHS[algorithm]
    room = len(render([LARGEST_FILE] * len(disks)))
    drafts = _texts(
        bytes(room), [_Disk(each, blank, 0) for each, _ in disks], name=name, algorithm=algorithm, signatory=signatory
    )
    place = sum(BLOCK + padded(len(text)) for text in drafts)
    written = []
    for disk_name, write_disk in disks:
        written.append(_write_disk(file, place, disk_name, write_disk, algorithm=algorithm))
        place += BLOCK + padded(written[-1].size)
    file.truncate(padded(place + END, unit=RECORD))
    descriptor = render([one.size for one in written]).ljust(room)
    file.seek(0)
    for each, text in zip(
        names, _texts(descriptor, written, name=name, algorithm=algorithm, signatory=signatory), strict=True
    ):
        file.write(header(each, len(text)) + text.ljust(padded(len(text)), b"\0"))


def _texts(
    descriptor: bytes, disks: Sequence[_Disk], *, name: str, algorithm: str, signatory: Signatory | None
) -> list[bytes]:
    """Return the contents of the members before the disks."""
    digest = hashlib.new(algorithm, descriptor, usedforsecurity=False).hexdigest()
    digests = [(f"{name}.ovf", digest), *((one.name, one.digest) for one in disks)]
    manifest = "".join(ovf_manifest.line(Digest(each, algorithm, value)) for each, value in digests).encode()
    if signatory is None:
        return [descriptor, manifest]
    return [descriptor, manifest, signatory.sign(manifest, name=f"{name}.mf", algorithm=algorithm)]


def _write_disk(file: BinaryIO, place: int, name: str, write_disk: WriteDisk, *, algorithm: str) -> _Disk:
    """Write a disk at a place, with its header before it."""
    file.seek(place + BLOCK)
    into = _Digesting(file, algorithm=algorithm)
    write_disk(into)  # type: ignore[arg-type]  # what it needs of a file is here
    file.write(bytes(padded(into.size) - into.size))
    file.seek(place)
    file.write(header(name, into.size))
    return _Disk(name=name, digest=into.hexdigest(), size=into.size)
